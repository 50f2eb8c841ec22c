from __future__ import annotations

import colorsys

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.composition.hue_assignment import KEYS
from ensemble.composition.hue_guide import hue_keys, sector_of, spread_of


def test_sector_is_the_hue_of_hsv() -> None:
    for red, green, blue in np.random.default_rng(0).integers(0, 256, (3000, 3)).tolist():
        hue = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)[0]
        got = sector_of(float(red - green), float(blue - green)) / 6
        assert min(abs(got - hue), 1 - abs(got - hue)) < 1e-9
        assert 0 <= got < 1
        chroma = max(red, green, blue) - min(red, green, blue)
        assert spread_of(float(red - green), float(blue - green)) == chroma


@pytest.mark.parametrize("colour", [(200, 40, 60), (30, 160, 40), (60, 70, 200)])
def test_a_strongly_coloured_picture_keeps_its_hue(colour: tuple[int, int, int]) -> None:
    rgb = np.full((20, 30, 3), colour, dtype=np.uint8)
    hue = colorsys.rgb_to_hsv(*(c / 255 for c in colour))[0] * KEYS
    assert np.abs(hue_keys(rgb=rgb, gray=luma(rgb)).astype(float) - hue).max() <= 2


def test_a_pixel_takes_its_neighbourhoods_hue() -> None:
    rgb = np.full((41, 41, 3), (200, 100, 90), dtype=np.uint8)
    rgb[20, 20] = (60, 70, 200)
    keys = hue_keys(rgb=rgb, gray=luma(rgb)).reshape(41, 41).astype(int)
    apart = (keys[20, 20] - keys[0, 0] + KEYS // 2) % KEYS - KEYS // 2
    assert abs(apart) < KEYS / 180 * 12


def test_the_weaker_the_colours_the_more_the_rainbow_decides() -> None:
    """At the top it is blue; the picture is red."""
    hues = []
    for chroma in (64, 40, 20, 4):
        rgb = np.full((40, 40, 3), 90, dtype=np.uint8)
        rgb[..., 0] += chroma
        hues.append(int(hue_keys(rgb=rgb, gray=luma(rgb))[0]) / 256)
    assert min(hues[0], 180 - hues[0]) < 1
    distances = [abs(hue - 130) for hue in (180 if hue < 1 else hue for hue in hues)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 6


def test_a_gray_picture_gets_a_smooth_rainbow() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (64, 40), dtype=np.uint8)
    keys = hue_keys(rgb=np.repeat(gray[..., None], 3, axis=2), gray=gray).reshape(64, 40)
    assert (keys == keys[:, :1]).all()
    steps = np.diff(keys[:, 0].astype(int)) % KEYS
    assert (np.minimum(steps, KEYS - steps) < KEYS / 64 * 2).all()
    assert 90 < keys[4, 0] / 256 < 135


@pytest.mark.parametrize("height", [90, 180])
def test_the_rainbow_starts_at_its_top_hue(height: int) -> None:
    gray = np.full((height, 40), 120, dtype=np.uint8)
    keys = hue_keys(rgb=np.repeat(gray[..., None], 3, axis=2), gray=gray).reshape(height, 40)
    # A colour half a row below hue 130 of 180 on the circle, read as a hue of the hexagon.
    angle = 2 * np.pi * (130 / 180 - 0.5 / height)
    x, y = np.cos(angle) / 4, np.sin(angle) / np.sqrt(3) / 4
    hue = colorsys.rgb_to_hsv(0.5 + x - y, 0.5, 0.5 - 2 * y)[0] * 180
    assert keys[0, 0] / 256 == pytest.approx(hue, abs=0.01)
