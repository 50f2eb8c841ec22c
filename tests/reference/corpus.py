"""Pictures on which wrong scores go wrong: the hard corpus of the metric's tests.

All are made from photographs that scikit-image ships inside its wheel, so nothing is downloaded.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Case(NamedTuple):
    """One prediction, its target and the lost pixels."""

    name: str
    pred: Picture
    target: Picture
    lost_mask: Mask


def photographs() -> tuple[Picture, Picture, Picture]:
    """Three photographs, each at least 300 pixels high and 400 wide."""
    return data.astronaut(), data.coffee(), data.chelsea()


def polygon_mask(size: tuple[int, int], seed: int = 0) -> Mask:
    """A jagged hole of at least 7 pixels somewhere in a picture of `size` (H, W)."""
    height, width = size
    points = np.random.default_rng(seed).uniform((0, 0), (width, height), (7, 2))
    mask = cv2.fillPoly(np.zeros(size, np.uint8), [points.astype(np.int32)], 1) > 0
    mask[height // 2, : max(7, width // 3)] = True
    return mask


def blend(one: Picture, other: Picture, share: float = 0.5) -> Picture:
    """The rounded mixture of two pictures: duller and less contrasted than either."""
    return np.rint(share * one + (1 - share) * other).astype(np.uint8)


def hard_cases() -> list[Case]:
    """Pictures that separate the score from its look-alikes, all with a defined score."""
    return [*_contrast_cases(), *_mask_cases(), *_size_cases(), *_color_cases()]


def flat_cases() -> list[Case]:
    """Flat areas under a pred of data range 1: here the literal score itself rounds badly."""
    target = _target().copy()
    target[:, 8:] = 255
    speck = np.full_like(target, 200)
    speck[0, 0, 0] = 201
    bits = (254 + (target > 128)).astype(np.uint8)
    mask = polygon_mask((24, 30), seed=1)
    return [
        Case(name, pred[:24, :30], target[:24, :30], mask)
        for name, pred in (("flat speck", speck), ("flat bits", bits))
    ]


def _target() -> Picture:
    return data.astronaut()[20:84, 180:268]


def _case(name: str, pred: Picture) -> Case:
    return Case(name, pred, _target(), polygon_mask((64, 88)))


def _contrast_cases() -> list[Case]:
    target, other = _target(), data.coffee()[100:164, 200:288]
    rng = np.random.default_rng(0)
    narrow = blend(target, other)
    narrow[polygon_mask((64, 88))] = 120 + narrow[polygon_mask((64, 88))] // 32
    spike = blend(target, other).clip(40, 200)
    spike[0, 0] = (255, 0, 255)
    noise = rng.integers(0, 256, target.shape, dtype=np.uint8)
    return [
        _case("another photograph", other),
        _case("average", blend(target, other)),
        _case("low contrast", (target // 16 + 120).astype(np.uint8)),
        _case("range of two", (target // 100 + 128).astype(np.uint8)),
        _case("dark", (blend(target, other) // 8).astype(np.uint8)),
        _case("flat hole", narrow),
        _case("one bright pixel", spike),
        _case("identical", target.copy()),
        _case("negative", 255 - target),
        _case("noise", noise),
        Case("constant", np.full_like(noise, 90), noise, polygon_mask((64, 88))),
    ]


def _mask_cases() -> list[Case]:
    target, pred = _target(), blend(_target(), data.coffee()[100:164, 200:288], 0.7)
    line, scattered, border = (np.zeros((64, 88), bool) for _ in range(3))
    line[30, 40:47] = True
    scattered[[1, 9, 20, 33, 41, 55, 63], [87, 3, 40, 41, 0, 77, 20]] = True
    border[:, :9] = border[:9] = border[:, -3:] = True
    damaged = target.copy()
    damaged[border] = 17
    return [
        Case("seven pixels in a line", pred, target, line),
        Case("seven scattered pixels", pred, target, scattered),
        Case("all lost", pred, target, np.ones((64, 88), bool)),
        Case("damaged border", damaged, target, border),
        Case("checkered mask", pred, target, np.indices((64, 88)).sum(axis=0) % 2 == 0),
        Case("first and last pixel", pred, target, border | line | scattered),
    ]


def _size_cases() -> list[Case]:
    sizes = ((7, 7), (7, 40), (41, 7), (37, 101), (8, 9), (120, 13))
    other = data.chelsea()
    return [
        Case(
            f"{height} x {width}",
            blend(data.astronaut()[60 : 60 + height, 170 : 170 + width], other[:height, :width]),
            data.astronaut()[60 : 60 + height, 170 : 170 + width],
            polygon_mask((height, width)),
        )
        for height, width in sizes
    ]


def _color_cases() -> list[Case]:
    target = _target()
    gray = np.repeat(cv2.cvtColor(target, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    half = blend(target, gray)
    half[:, :44] = gray[:, :44]
    every_hue = np.zeros((18, 40, 3), np.uint8)
    every_hue[..., 0] = np.arange(720).reshape(18, 40) % 180
    every_hue[..., 1:] = (255, 200)
    rainbow = cv2.cvtColor(every_hue, cv2.COLOR_HSV2RGB)
    small, mask = target[:18, :40], polygon_mask((18, 40))
    return [
        _case("gray", gray),
        Case("gray both", blend(gray, 255 - gray, 0.8), gray, polygon_mask((64, 88))),
        _case("half gray", half),
        _case("channels swapped", target[..., ::-1].copy()),
        _case("primaries", ((target > 110) * np.uint8(255))),
        Case("rainbow", rainbow, small, mask),
        Case("rainbow target", small, rainbow, mask),
    ]
