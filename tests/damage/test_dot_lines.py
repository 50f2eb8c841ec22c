from __future__ import annotations

import math

import numpy as np
import pytest

from ensemble.damage.dot_lines import (
    DOT_FEATURES,
    GIVE_UP,
    NO_BODY,
    SPIKE_SHARE,
    dot_lines,
)

CHANCE = 0.02
DOT = math.log(SPIKE_SHARE / CHANCE)
GAP = math.log((1 - SPIKE_SHARE) / (1 - CHANCE))


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """A body at the left and four dots, 5 pixels apart, on a row that leads to it."""
    equal = np.zeros((40, 70), bool)
    equal[10:30, 5:20] = True
    hopes = equal.astype(np.float32)
    equal[20, 24:44:5] = True
    return equal, hopes


def _facts(equal: np.ndarray, hopes: np.ndarray, y: int, x: int) -> dict[str, float]:
    (row,) = dot_lines(equal, hopes, np.array([[y, x]]), np.array([CHANCE]))
    return dict(zip(DOT_FEATURES, row, strict=True))


def test_dots_between_a_pixel_and_the_body_count_for_it() -> None:
    facts = _facts(*_scene(), 20, 39)
    # columns 38 to 20: dots at 34, 29, 24, and sixteen gaps
    assert facts["evidence of the line to the body"] == pytest.approx(3 * DOT + 16 * GAP, abs=1e-4)
    assert facts["length of the line to the body"] == pytest.approx(19 / 32)
    assert facts["evidence of that line's other end"] == 0.0
    assert facts["evidence of one dot"] == pytest.approx(DOT, abs=1e-5)


def test_dots_beyond_the_pixel_are_its_other_end() -> None:
    facts = _facts(*_scene(), 20, 29)
    assert facts["evidence of the line to the body"] == pytest.approx(DOT + 8 * GAP, abs=1e-4)
    assert facts["evidence of that line's other end"] == pytest.approx(2 * DOT + 8 * GAP, abs=1e-4)


def test_a_dot_off_the_line_or_behind_too_many_gaps_has_less() -> None:
    equal, hopes = _scene()
    equal[5, 60] = True
    off = _facts(equal, hopes, 5, 60)
    assert (
        off["evidence of the line to the body"]
        < _facts(equal, hopes, 20, 39)["evidence of the line to the body"]
    )
    rare = dot_lines(equal, hopes, np.array([[5, 60]]), np.array([0.003]))
    common = dot_lines(equal, hopes, np.array([[5, 60]]), np.array([0.25]))
    assert rare[0, 5] > DOT > common[0, 5]
    hopes[:] = 0.0
    nothing = _facts(equal, hopes, 20, 39)
    assert nothing["evidence of the line to the body"] == NO_BODY
    assert nothing["length of the line to the body"] == pytest.approx(-1 / 32)


def test_any_lines_equal_a_slow_walk() -> None:
    rng = np.random.default_rng(0)
    equal = rng.random((60, 60)) < 0.15
    hopes = np.zeros(equal.shape, np.float32)
    for y, x in ((30, 30), (2, 57), (59, 0)):
        best = []
        for turn in range(256):
            total = most = 0.0
            for step in range(1, 65):
                v = y + round(step * math.sin(2 * math.pi * turn / 256))
                u = x + round(step * math.cos(2 * math.pi * turn / 256))
                if not (0 <= v < 60 and 0 <= u < 60) or total < GIVE_UP:
                    break
                total += DOT if equal[v, u] else GAP
                most = max(most, total)
            best.append(most)
        facts = _facts(equal, hopes, y, x)
        assert facts["evidence of any line, one-sided"] == pytest.approx(max(best), abs=1e-4)
        both = max(best[turn] + best[turn - 128] for turn in range(256))
        assert facts["evidence of any line, two-sided"] == pytest.approx(both, abs=1e-4)
