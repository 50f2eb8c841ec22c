"""Batches to learn from and to validate on.

A training batch is a pure function of the seed, its epoch and its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ensemble.arrays import Mask, Rgb, luma
from ensemble.damage.bank import PolygonBank
from ensemble.damage.depth import hole_depth
from ensemble.damage.fill import fill_in_ways
from ensemble.data.competition import Sample
from ensemble.data.photographs import Photographs
from ensemble.errors import ConfigError
from ensemble.training.progress import Key, Position, shuffle

ShownGray = Callable[[Sample, Mask], NDArray[np.uint8]]
"""From a sample and its located hole, what the network is shown: (H, W) or (H, W, K) uint8."""


class Batch(NamedTuple):
    """Photographs to learn from, as they travel to the device; uint8 or bool but for `depth`."""

    target: Tensor  # (N, H, W, 3) uint8, not yet flipped
    flip: Tensor  # (N,) bool, which are to be flipped left to right, with all that belongs to them
    lost_mask: Tensor | None = None  # (N, H, W) bool; None where the task needs no damage
    fill: Tensor | None = None  # (N,) uint8, the gray of each hole; None with `lost_mask`
    # (N, H, W, K) uint8, the hole inpainted in K ways; None where no task needs it
    filled: Tensor | None = None
    # (N, H, W) float32, `hole_depth`; None where the task does not need it
    depth: Tensor | None = None


@dataclass(frozen=True)
class Needs:
    """What a task needs of a training batch: damage, inpainted grays, depths, random flips.

    Holes are inpainted in the ways of `FILLS` that are named. A square of `crop` pixels a side is
    cut from each photograph; 0 leaves it whole.
    """

    damage: bool = False
    fills: tuple[str, ...] = ()
    depth: bool = False
    flips: bool = False
    crop: int = 0


@dataclass(frozen=True)
class Shape:
    """How an epoch is cut into batches, and which part of each is this process's.

    `batch_size` is over all processes, `world` of them. `steps` is the length of an epoch; 0 is
    one pass through the photographs.

    Raises:
        ConfigError: The batch cannot be divided among the processes.
    """

    photographs: int
    batch_size: int
    steps: int = 0
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
        """Steps an epoch."""
        return self.steps or self.batches_of_pass

    @property
    def batches_of_pass(self) -> int:
        """Batches of one order of all photographs; those that fill none wait for another order."""
        return max(1, self.photographs // self.batch_size)

    @property
    def most(self) -> int:
        """Photographs a step of this process."""
        return min(self.batch_size, self.photographs) // self.world

    def rows(self, order: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """This process's part of a batch, given the order of the pass and the number in it."""
        start = number * self.batch_size
        return order[start : start + self.batch_size][self.rank :: self.world]


@dataclass(eq=False)
class TrainingBatches(Dataset[Batch]):
    """Makes batch (epoch, number), in any process; everything drawn follows from the seed.

    The bank draws what is lost; None where nothing is.
    """

    image_ids: Sequence[str]
    photographs: Photographs
    bank: PolygonBank | None
    needs: Needs
    shape: Shape
    seed: int

    def __len__(self) -> int:
        return self.shape.batches

    def __getitem__(self, key: Key) -> Batch:
        epoch, number = key
        turn, number = divmod(number, self.shape.batches_of_pass)
        order = shuffle(self.seed, (epoch, turn), len(self.image_ids))
        rows = [int(row) for row in self.shape.rows(order, number)]
        rngs = [np.random.default_rng((self.seed, epoch, row, turn)) for row in rows]
        targets = [self.photographs.target(self.image_ids[row]) for row in rows]
        flip = torch.tensor([bool(rng.random() < 0.5) and self.needs.flips for rng in rngs])
        batch = self._damage(Batch(_stack(targets), flip), targets, rngs)
        return _crop(batch, self.needs.crop, rngs) if self.needs.crop else batch

    def _damage(
        self, batch: Batch, targets: Sequence[Rgb], rngs: Sequence[np.random.Generator]
    ) -> Batch:
        if self.bank is None:
            return batch
        size = self.photographs.competition.size
        drawn = [self.bank.draw(rng, size=size) for rng in rngs]
        masks = [mask for _, mask in drawn]
        fills = [damage.fill for damage, _ in drawn]
        batch = batch._replace(lost_mask=_stack(masks), fill=torch.tensor(fills, dtype=torch.uint8))
        if self.needs.depth:
            batch = batch._replace(depth=_stack([hole_depth(mask) for mask in masks]))
        if not self.needs.fills:
            return batch
        grays = [
            np.where(mask, np.uint8(value), luma(target))
            for target, mask, value in zip(targets, masks, fills, strict=True)
        ]
        pairs = zip(grays, masks, strict=True)
        filled = [fill_in_ways(*pair, self.needs.fills) for pair in pairs]
        return batch._replace(filled=_stack(filled))


@dataclass(eq=False)
class EpochKeys(Sampler[Key]):
    """The batches of an epoch that are still to come; its position is read at each iteration."""

    batches: int
    position: Position

    def __len__(self) -> int:
        return self.batches - self.position.batch

    def __iter__(self) -> Iterator[Key]:
        epoch, first = self.position.epoch, self.position.batch
        return iter([(epoch, number) for number in range(first, self.batches)])


class Case(NamedTuple):
    """One photograph to be scored: what the network was shown of it, and the located hole.

    `shown` is (H, W) or (H, W, K).
    """

    sample: Sample
    shown: NDArray[np.uint8]
    located: Mask


class ValidationBatch(NamedTuple):
    """Photographs to validate on; they stay on the host, where they are scored."""

    shown: Tensor  # (N, H, W) or (N, H, W, K) uint8, what the network is shown
    located: Tensor  # (N, H, W) bool, the hole as it was located
    target: Tensor  # (N, H, W, 3) uint8
    damaged: Tensor  # (N, H, W) uint8
    lost_mask: Tensor  # (N, H, W) bool, the true hole, which the score uses
    image_ids: tuple[str, ...]  # names

    def case(self, row: int) -> Case:
        """One photograph, as numpy arrays."""
        arrays = (self.target[row], self.damaged[row], self.lost_mask[row])
        sample = Sample(self.image_ids[row], *(array.numpy() for array in arrays))
        return Case(sample, self.shown[row].numpy(), self.located[row].numpy())


@dataclass(eq=False)
class ValidationBatches(Dataset[ValidationBatch]):
    """The photographs that this process validates, in batches, with the same damage each time."""

    image_ids: Sequence[str]
    photographs: Photographs
    shown_gray: ShownGray
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.image_ids) // self.batch_size)

    def __getitem__(self, number: int) -> ValidationBatch:
        start = number * self.batch_size
        image_ids = tuple(self.image_ids[start : start + self.batch_size])
        samples = [self.photographs.train_sample(image_id) for image_id in image_ids]
        located = [self.photographs.located(image_id) for image_id in image_ids]
        shown = [self.shown_gray(*pair) for pair in zip(samples, located, strict=True)]
        return ValidationBatch(
            shown=_stack(shown),
            located=_stack(located),
            target=_stack([sample.target for sample in samples]),
            damaged=_stack([sample.damaged for sample in samples]),
            lost_mask=_stack([sample.lost_mask for sample in samples]),
            image_ids=image_ids,
        )


def stack_depths(lost_masks: Tensor) -> Tensor:
    """`hole_depth` of masks (N, H, W) on the host: (N, H, W) float32."""
    return _stack([hole_depth(mask) for mask in lost_masks.numpy()])


def _crop(batch: Batch, side: int, rngs: Sequence[np.random.Generator]) -> Batch:
    """Cut a square from each photograph, and the same one from all that belongs to it."""
    squares = []
    for row, rng in enumerate(rngs):
        place: Sequence[int | None] = (None, None)
        if batch.lost_mask is not None:
            place = rng.choice(batch.lost_mask[row].nonzero().numpy()).tolist()
        axes = zip(batch.target.shape[1:3], place, strict=True)
        squares.append(tuple(_draw_window(rng, side, *axis) for axis in axes))

    def cut(pictures: Tensor | None) -> Tensor | None:
        if pictures is None:
            return None
        pairs = zip(pictures, squares, strict=True)
        return torch.stack([picture[square] for picture, square in pairs])

    target = cut(batch.target)
    assert target is not None
    batch = batch._replace(target=target, lost_mask=cut(batch.lost_mask))
    return batch._replace(filled=cut(batch.filled), depth=cut(batch.depth))


def _draw_window(rng: np.random.Generator, side: int, length: int, at: int | None) -> slice:
    """Draw `side` of `length` pixels; `at` lies in their middle half, where the border allows."""
    side = min(side, length)
    if at is None:
        start = int(rng.integers(length - side + 1))
    else:
        start = min(max(at - int(rng.integers(side // 4, side - side // 4)), 0), length - side)
    return slice(start, start + side)


def _stack(arrays: Sequence[NDArray[Any]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
