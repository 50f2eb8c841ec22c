"""A sample of photographs: whole groups, alike from each fold, the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping

from ensemble.parallel import seed_of


def sample_size(count: int, available: int) -> int:
    """How many photographs a sample of `count` is to have; 0 stands for all.

    >>> sample_size(2000, 96), sample_size(0, 96), sample_size(10, 96)
    (96, 96, 10)
    """
    return min(count or available, available)


def sample_groups(
    folds: Mapping[str, int], groups: Mapping[str, str | int], *, count: int, seed: int
) -> tuple[str, ...]:
    """Draw whole groups at random, some `count` photographs in all, alike from each fold.

    The last group of a fold may exceed its share. Image ids come in the order of `folds`; all of
    them where `count` is 0 or there are no more.
    """
    if sample_size(count, len(folds)) == len(folds):
        return tuple(folds)
    members: dict[tuple[int, str], list[str]] = {}
    for image_id, fold in folds.items():
        members.setdefault((fold, str(groups[image_id])), []).append(image_id)
    kept: set[str] = set()
    for fold in sorted(set(folds.values())):
        share = count * sum(k == fold for k in folds.values()) / len(folds)
        order = sorted((seed_of(seed, group, bits=256), group) for k, group in members if k == fold)
        taken = 0
        for _, group in order:
            if taken >= share:
                break
            kept.update(members[fold, group])
            taken += len(members[fold, group])
    return tuple(image_id for image_id in folds if image_id in kept)
