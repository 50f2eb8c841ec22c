from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ensemble.arrays import luma
from ensemble.damage.bank import make_bank
from ensemble.damage.fill import fill_hole
from ensemble.damage.locate import locate_hole
from ensemble.errors import ConfigError
from ensemble.project import Project
from ensemble.training.batches import (
    EpochKeys,
    Needs,
    Shape,
    TrainingBatches,
    ValidationBatches,
    _draw_window,
)
from ensemble.training.progress import Position, shuffle

ALL = Needs(damage=True, fills=("spline", "rows"), depth=True, flips=True)


@pytest.fixture
def make_batches(make_project: Callable[..., Project]) -> Callable[..., TrainingBatches]:
    project = make_project()
    ids, bank = project.competition.train_ids, make_bank(0)

    def make(needs: Needs = ALL, seed: int = 1, **shape: int) -> TrainingBatches:
        cut = Shape(**({"photographs": len(ids), "batch_size": 6} | shape))
        return TrainingBatches(
            ids,
            project.photographs,
            bank if needs.damage else None,
            needs=needs,
            shape=cut,
            seed=seed,
        )

    return make


def equal(one: tuple[torch.Tensor, ...], other: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_batch_follows_from_its_epoch_and_number(make_batches) -> None:
    batches = make_batches()
    batches[0, 2]
    again = make_batches()[1, 0]
    assert equal(batches[1, 0], again)
    assert not torch.equal(again.target, batches[1, 1].target)
    assert not torch.equal(again.lost_mask, batches[0, 0].lost_mask)
    assert not torch.equal(again.target, make_batches(seed=2)[1, 0].target)


def test_an_epoch_shows_each_photograph_once(make_batches) -> None:
    batches = make_batches(batch_size=5)
    for epoch in (0, 1):
        shown = torch.cat([batches[epoch, number].target for number in range(len(batches))])
        assert len(shown) == 20
        assert len(torch.unique(shown.flatten(1), dim=0)) == 20
    assert not np.array_equal(shuffle(1, (0, 0), 20), shuffle(1, (1, 0), 20))


def test_the_parts_of_a_batch_belong_together(make_batches) -> None:
    batch = make_batches()[0, 0]
    for row in range(6):
        gray = luma(batch.target[row].numpy())
        mask = batch.lost_mask[row].numpy()
        damaged = np.where(mask, batch.fill[row].numpy(), gray)
        for plane, method in enumerate(("spline", "rows")):
            due = fill_hole(damaged, mask, method=method)
            np.testing.assert_array_equal(batch.filled[row, ..., plane].numpy(), due)


def test_what_is_not_needed_is_not_made(make_batches) -> None:
    batch = make_batches(Needs(damage=False, fills=(), flips=False))[0, 0]
    assert batch.lost_mask is batch.fill is batch.filled is None
    assert not batch.flip.any()
    flipped = torch.cat([make_batches()[epoch, 0].flip for epoch in range(10)])
    assert 15 < int(flipped.sum()) < 45


@pytest.mark.parametrize("side", [12, 40])
def test_a_crop_is_a_square_of_everything_around_a_lost_pixel(make_batches, side: int) -> None:
    whole = make_batches()[2, 1]
    cut = make_batches(dataclasses.replace(ALL, crop=side))[2, 1]
    size = min(side, 32)
    assert cut.target.shape == (6, size, size, 3)
    assert torch.equal(cut.flip, whole.flip)
    assert torch.equal(cut.fill, whole.fill)
    for row in range(6):
        places = [
            (y, x)
            for y in range(33 - size)
            for x in range(33 - size)
            if torch.equal(whole.target[row, y : y + size, x : x + size], cut.target[row])
        ]
        (y, x), *others = places
        assert not others
        for name in ("lost_mask", "filled", "depth"):
            part = getattr(whole, name)[row, y : y + size, x : x + size]
            assert torch.equal(part, getattr(cut, name)[row])
        assert cut.lost_mask[row].any()


def test_a_lost_pixel_lies_in_the_middle_half_of_its_crop() -> None:
    rng = np.random.default_rng(0)
    places = {60 - _draw_window(rng, 20, 100, 60).start for _ in range(300)}
    assert places == set(range(5, 15))
    for at, starts in ((0, {0}), (99, {80})):
        assert {_draw_window(rng, 20, 100, at).start for _ in range(30)} == starts


def test_a_crop_without_damage_lies_anywhere(make_batches) -> None:
    needs = Needs(damage=False, fills=(), flips=False, crop=31)
    whole, cut = make_batches(dataclasses.replace(needs, crop=0)), make_batches(needs)
    found = set()
    for epoch in range(6):
        before, after = whole[epoch, 0].target, cut[epoch, 0].target
        for row in range(6):
            found |= {
                (y, x)
                for y in (0, 1)
                for x in (0, 1)
                if torch.equal(before[row, y : y + 31, x : x + 31], after[row])
            }
    assert found == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_processes_share_a_batch_between_them(make_batches) -> None:
    whole = make_batches()[3, 1]
    parts = [make_batches(rank=rank, world=2)[3, 1] for rank in (0, 1)]
    for both, one, other in zip(whole, *parts, strict=True):
        assert torch.equal(both[0::2], one)
        assert torch.equal(both[1::2], other)


def test_a_batch_must_divide_among_the_processes() -> None:
    with pytest.raises(ConfigError, match=r"batch_size=6, devices=4"):
        Shape(photographs=20, batch_size=6, world=4)


def test_steps_of_an_epoch() -> None:
    assert Shape(photographs=20, batch_size=6).batches == 3
    assert Shape(photographs=4, batch_size=6).batches == 1
    assert Shape(photographs=20, batch_size=6, steps=2).batches == 2
    assert Shape(photographs=20, batch_size=6, steps=50).batches == 50


def test_an_epoch_of_more_steps_shows_photographs_again_with_other_holes(make_batches) -> None:
    batches = make_batches(batch_size=5, steps=10)
    assert len(batches) == 10
    for turn in (0, 4):
        shown = torch.cat([batches[0, turn + number].target for number in range(4)])
        assert len(torch.unique(shown.flatten(1), dim=0)) == 20
    first, again = batches[0, 0], batches[0, 4]
    assert not torch.equal(first.target, again.target)
    once = make_batches(batch_size=5)
    assert all(equal(once[1, number], batches[1, number]) for number in range(4))

    def holes(number: int) -> dict[bytes, bytes]:
        batch = batches[0, number]
        pairs = zip(batch.target.numpy(), batch.lost_mask.numpy(), strict=True)
        return {target.tobytes(): mask.tobytes() for target, mask in pairs}

    later = holes(4) | holes(5) | holes(6) | holes(7)
    assert all(later[target] != mask for target, mask in holes(0).items())


def test_keys_are_the_rest_of_the_epoch_at_the_position() -> None:
    position = Position(epoch=2, batch=3)
    keys = EpochKeys(5, position)
    assert list(keys) == [(2, 3), (2, 4)]
    assert len(keys) == 2
    position.epoch, position.batch = 3, 0
    assert list(keys) == [(3, number) for number in range(5)]


@pytest.mark.parametrize("cache", [True, False])
def test_validation_batches_hold_each_photograph_once_in_order(
    make_project: Callable[..., Project], cache: bool
) -> None:
    project = make_project(cache=cache)
    ids = project.competition.train_ids[:7]
    batches = ValidationBatches(
        ids,
        project.photographs,
        lambda sample, located: np.where(located, 0, 255 - sample.damaged),
        batch_size=3,
    )
    cases = [batches[n].case(row) for n in range(len(batches)) for row in range(len(batches[n][0]))]
    assert [case.sample.image_id for case in cases] == list(ids)
    for case in cases:
        sample = project.competition.train_sample(case.sample.image_id)
        np.testing.assert_array_equal(case.sample.target, sample.target)
        np.testing.assert_array_equal(case.sample.damaged, sample.damaged)
        np.testing.assert_array_equal(case.sample.lost_mask, sample.lost_mask)
        located = locate_hole(sample.damaged).lost_mask
        np.testing.assert_array_equal(case.located, located)
        np.testing.assert_array_equal(case.shown, np.where(located, 0, 255 - sample.damaged))
