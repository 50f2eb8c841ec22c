from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.data.pairs import differing_masks, drawn_masks, pair_loaders
from ensemble.data.png import encode_png, write_png
from ensemble.errors import DataError, MissingFileError

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def folders(tmp_path: Path, crops: list[np.ndarray]) -> Path:
    for index, name in enumerate(NAMES):
        write_png(tmp_path / "target" / name, crops[index])
        write_png(tmp_path / "pred" / name, crops[index + 3])
        gray = np.asarray(Image.fromarray(crops[index]).convert("L")).copy()
        gray[5:9, 5 + index : 20] = 255 - gray[5:9, 5 + index : 20] // 2
        write_png(tmp_path / "input" / name, gray)
        write_png(tmp_path / "masks" / name, crops[index][..., 0] > 128)
    return tmp_path


def zipped(folder: Path, path: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.iterdir(), reverse=True):
            archive.write(file, file.name)
    return path


@pytest.mark.parametrize("as_zip", [False, True])
def test_pairs_are_matched_by_name(folders: Path, crops, as_zip: bool):
    pred = zipped(folders / "pred", folders / "pred.zip") if as_zip else folders / "pred"
    loaders = pair_loaders(pred, folders / "target", drawn_masks(folders / "masks"))
    pairs = [load() for load in loaders]
    assert [pair.name for pair in pairs] == list(NAMES)
    for index, pair in enumerate(pairs):
        np.testing.assert_array_equal(pair.target, crops[index])
        np.testing.assert_array_equal(pair.pred, crops[index + 3])
        np.testing.assert_array_equal(pair.lost_mask, crops[index][..., 0] > 128)


def test_masks_are_where_the_input_differs_from_the_targets_gray(folders: Path):
    mask_of = differing_masks(folders / "input")
    for load in pair_loaders(folders / "pred", folders / "target", mask_of):
        pair = load()
        gray = np.asarray(Image.fromarray(pair.target).convert("L"))
        damaged = np.asarray(Image.open(folders / "input" / pair.name))
        np.testing.assert_array_equal(pair.lost_mask, gray != damaged)
        assert pair.lost_mask.any()


def test_an_input_of_another_size_is_named(folders: Path):
    path = folders / "input" / "b.png"
    write_png(path, np.zeros((3, 4), dtype=np.uint8))
    loaders = pair_loaders(folders / "pred", folders / "target", differing_masks(path.parent))
    message = f"`{path}` must be as large as its target, 48 x 48 px, but is 3 x 4 px"
    with pytest.raises(DataError, match=re.escape(message)):
        loaders[1]()


@pytest.mark.parametrize(("room", "what"), [("pred", "targets"), ("target", "predictions")])
def test_missing_names_are_counted(folders: Path, room: str, what: str):
    (folders / room / "b.png").unlink()
    told = rf"{room}` must have a PNG for each of the 3 {what}, but lacks 1, `b\.png`"
    with pytest.raises(MissingFileError, match=told):
        pair_loaders(folders / "pred", folders / "target", drawn_masks(folders / "masks"))


def test_a_missing_mask_is_named(folders: Path):
    (folders / "masks" / "a.png").unlink()
    loaders = pair_loaders(folders / "pred", folders / "target", drawn_masks(folders / "masks"))
    with pytest.raises(MissingFileError, match=re.escape(str(folders / "masks" / "a.png"))):
        loaders[0]()


def test_no_targets_are_refused(folders: Path):
    with pytest.raises(MissingFileError, match="must be a folder of PNGs, but has none"):
        pair_loaders(folders / "pred", folders / "nowhere", drawn_masks(folders / "masks"))


def test_predictions_that_are_no_folder_and_no_zip_are_refused(folders: Path):
    with pytest.raises(MissingFileError, match="is not there"):
        pair_loaders(folders / "no.zip", folders / "target", drawn_masks(folders / "masks"))
    with pytest.raises(
        DataError, match="must be a zip, but is none, .*; give a folder or a flat zip"
    ):
        pair_loaders(folders / "pred" / "a.png", folders / "target", drawn_masks(folders / "masks"))


def test_a_damaged_zip_is_named(folders: Path):
    path = folders / "pred.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            archive.writestr(name, encode_png(np.zeros((48, 48, 3), dtype=np.uint8)))
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(bytes(content))
    loaders = pair_loaders(path, folders / "target", drawn_masks(folders / "masks"))
    with pytest.raises(DataError, match=re.escape(f"`{path}` is damaged at `a.png`")):
        loaders[0]()


def test_a_zip_with_any_byte_flipped_is_read_or_named(folders: Path):
    for name in NAMES:
        write_png(folders / "pred" / name, np.full((48, 48, 3), 7, dtype=np.uint8))
    path = zipped(folders / "pred", folders / "pred.zip", zipfile.ZIP_DEFLATED)
    whole, told = path.read_bytes(), []
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            loaders = pair_loaders(path, folders / "target", drawn_masks(folders / "masks"))
            for load in loaders:
                load()
        except DataError as error:
            told.append(str(error))
    assert len(told) > len(whole) / 6
    assert all(text.startswith(f"`{path}") for text in told)


def test_a_truncated_prediction_in_a_zip_is_named(folders: Path):
    file = folders / "pred" / "a.png"
    file.write_bytes(file.read_bytes()[:-20])
    path = zipped(folders / "pred", folders / "pred.zip")
    loaders = pair_loaders(path, folders / "target", drawn_masks(folders / "masks"))
    with pytest.raises(DataError, match=re.escape(f"`{path}/a.png` is truncated")):
        loaders[0]()
