"""Batches to learn from, each a pure function of the seed, its epoch and its number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ensemble.arrays import Gray, Mask, Rgb, luma
from ensemble.damage.fill import fill_hole
from ensemble.errors import ConfigError
from ensemble.training.progress import Key, Position, permutation, sample_rng

DrawDamage = Callable[[np.random.Generator], tuple[Mask, int]]
"""Draws the lost pixels (H, W) and the gray that fills them."""


class Targets(Protocol):
    """Where photographs come from: the files themselves, or the cache of decoded ones."""

    def target(self, image_id: str) -> Rgb:
        """A photograph, (H, W, 3) uint8."""


class Batch(NamedTuple):
    """Photographs to learn from, as they travel to the device; all tensors uint8 or bool.

    Attributes:
        target: (N, H, W, 3) uint8, not yet flipped.
        flip: (N,) bool, which are to be flipped left to right, with all that belongs to them.
        lost_mask: (N, H, W) bool; None where the task needs no damage.
        fill: (N,) uint8, the gray of each hole; None with `lost_mask`.
        prefilled: (N, H, W) uint8, the hole inpainted; None where no network wants it.
        restored: (N,) bool, which grays the restorers are to restore first; None for none.
    """

    target: Tensor
    flip: Tensor
    lost_mask: Tensor | None = None
    fill: Tensor | None = None
    prefilled: Tensor | None = None
    restored: Tensor | None = None


@dataclass(frozen=True)
class Wants:
    """What a task needs of a batch.

    Attributes:
        damage: Lost masks and fills.
        prefill: Inpainted grays.
        restored: The chance of a photograph to be restored by the frozen restorers.
        flips: Whether to flip at random.
    """

    damage: bool
    prefill: bool
    restored: float
    flips: bool


@dataclass(frozen=True)
class Shape:
    """How an epoch is cut into batches, and which part of each is this process's.

    Attributes:
        photographs: Training photographs.
        batch_size: Photographs a step, over all processes.
        limit: Most steps an epoch; 0 is no limit.
        rank: Of this process.
        world: Number of processes.
    """

    photographs: int
    batch_size: int
    limit: int = 0
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if min(self.batch_size, self.photographs) % self.world:
            raise ConfigError(
                f"`batch_size` must be a multiple of the number of devices, but got (batch_size="
                f"{min(self.batch_size, self.photographs)}, devices={self.world}); set "
                "`batch_size` under [training] in ens.toml"
            )

    @property
    def batches(self) -> int:
        """Steps an epoch; photographs that fill no batch wait for another epoch's order."""
        whole = max(1, self.photographs // self.batch_size)
        return min(whole, self.limit) if self.limit else whole

    def rows(self, order: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """This process's part of a batch, given the order of the epoch."""
        start = number * self.batch_size
        return order[start : start + self.batch_size][self.rank :: self.world]


class TrainingBatches(Dataset[Batch]):
    """Makes batch (epoch, number), in whichever process is asked.

    Args:
        image_ids: The photographs to learn from.
        targets: Where they come from.
        draw_damage: What loses pixels.
        wants: What the batches must hold.
        shape: How an epoch is cut.
        seed: Of everything drawn.
    """

    def __init__(
        self,
        image_ids: Sequence[str],
        targets: Targets,
        draw_damage: DrawDamage,
        *,
        wants: Wants,
        shape: Shape,
        seed: int,
    ) -> None:
        self.image_ids = tuple(image_ids)
        self.targets = targets
        self.draw_damage = draw_damage
        self.wants = wants
        self.shape = shape
        self.seed = seed

    def __len__(self) -> int:
        return self.shape.batches

    def __getitem__(self, key: Key) -> Batch:
        epoch, number = key
        order = _order(self.seed, epoch, len(self.image_ids))
        rows = [int(row) for row in self.shape.rows(order, number)]
        rngs = [sample_rng(self.seed, epoch, row) for row in rows]
        targets = [self.targets.target(self.image_ids[row]) for row in rows]
        flip = torch.tensor([bool(rng.random() < 0.5) and self.wants.flips for rng in rngs])
        restored = None
        if self.wants.restored:
            restored = torch.tensor([bool(rng.random() < self.wants.restored) for rng in rngs])
        stacked = torch.from_numpy(np.stack(targets))
        return self._damaged(Batch(stacked, flip, restored=restored), targets, rngs)

    def _damaged(
        self, batch: Batch, targets: Sequence[Rgb], rngs: Sequence[np.random.Generator]
    ) -> Batch:
        if not self.wants.damage:
            return batch
        drawn = [self.draw_damage(rng) for rng in rngs]
        masks = np.stack([mask for mask, _ in drawn])
        fill = torch.tensor([fill for _, fill in drawn], dtype=torch.uint8)
        batch = batch._replace(lost_mask=torch.from_numpy(masks), fill=fill)
        if not self.wants.prefill:
            return batch
        filled = np.stack([_prefilled(t, *d) for t, d in zip(targets, drawn, strict=True)])
        return batch._replace(prefilled=torch.from_numpy(filled))


class EpochKeys(Sampler[Key]):
    """The batches of an epoch that are still to come.

    Args:
        batches: Steps an epoch.
        position: Where training is; read anew at each iteration.
    """

    def __init__(self, batches: int, position: Position) -> None:
        self.batches = batches
        self.position = position

    def __len__(self) -> int:
        return self.batches - self.position.batch

    def __iter__(self) -> Iterator[Key]:
        epoch, first = self.position.epoch, self.position.batch
        return iter([(epoch, number) for number in range(first, self.batches)])


def _prefilled(target: Rgb, lost_mask: Mask, fill: int) -> Gray:
    damaged = np.where(lost_mask, np.uint8(fill), luma(target))
    return fill_hole(damaged, lost_mask)


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return permutation(seed, epoch, count)
