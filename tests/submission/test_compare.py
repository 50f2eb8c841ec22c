from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.data.png import encode_png
from ensemble.errors import DataError, MissingFileError
from ensemble.submission.compare import TwoZips, find_submission, measure_difference
from ensemble.workspace import Workspace
from tests.reference.score import literal_hue


@pytest.fixture
def pictures(photograph: np.ndarray) -> dict[str, np.ndarray]:
    return {
        f"{k}.png": np.ascontiguousarray(photograph[:40, 40 * k : 40 * k + 40]) for k in range(3)
    }


def write(path: Path, pictures: dict[str, np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, picture in pictures.items():
            archive.writestr(name, encode_png(picture))
    return path


def test_the_largest_difference_comes_first(tmp_path: Path, pictures) -> None:
    changed = {name: picture.copy() for name, picture in pictures.items()}
    changed["2.png"][:20] = 255 - changed["2.png"][:20]
    changed["0.png"][3, 4] ^= 1
    zips = TwoZips(write(tmp_path / "a.zip", pictures), write(tmp_path / "b.zip", changed))
    found = zips.measure()
    assert [one.name for one in found] == ["2.png", "0.png", "1.png"]
    assert found[1].changed == 1 / 1600
    assert found[1].mean == pytest.approx(1 / 1600)
    assert (found[2].mean, found[2].luma, found[2].changed, found[2].hue) == (0, 0, 0, 1)
    first, second, apart = zips.draw(found[0].name)
    assert np.array_equal(first, pictures["2.png"])
    assert np.array_equal(second, changed["2.png"])
    assert apart.max() == 255
    assert not apart[20:].any()


def test_the_measures(pictures) -> None:
    first, second = pictures["0.png"], pictures["1.png"]
    found = measure_difference("x", first, second)
    wide = first.astype(float), second.astype(float)
    assert found.mean == pytest.approx(np.abs(wide[0] - wide[1]).mean())
    lumas = luma(first).astype(float), luma(second).astype(float)
    assert found.luma == pytest.approx(np.abs(lumas[0] - lumas[1]).mean())
    assert found.hue == pytest.approx(literal_hue(pred=second, target=first), abs=1e-6)


def test_zips_of_other_photographs_or_sizes_are_refused(tmp_path: Path, pictures) -> None:
    fewer = write(tmp_path / "b.zip", dict(list(pictures.items())[:2]))
    whole = write(tmp_path / "a.zip", pictures)
    with pytest.raises(DataError, match=r"1 are in one only, `2\.png` among them"):
        TwoZips(whole, fewer)
    smaller = write(
        tmp_path / "c.zip", {n: np.ascontiguousarray(p[:9]) for n, p in pictures.items()}
    )
    with pytest.raises(DataError, match=r"`0\.png` must have one size, but is \(40, 40\)"):
        TwoZips(whole, smaller).measure()


def test_a_submission_is_found_by_path_or_name(tmp_path: Path, pictures) -> None:
    workspace = Workspace(tmp_path)
    named = write(workspace.submission_file("s"), pictures)
    assert find_submission(workspace, "s") == named
    assert find_submission(workspace, str(named)) == named
    with pytest.raises(MissingFileError, match="`t` must be a zip, a folder or the name"):
        find_submission(workspace, "t")
