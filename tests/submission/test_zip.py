from __future__ import annotations

import zipfile

import numpy as np
import pytest

from ensemble.data.png import decode_rgb, encode_png
from ensemble.errors import SubmissionError
from ensemble.submission.zip import build_zip, check_sample, verify_zip

RNG = np.random.default_rng(0)
NAMES = ["TEST_000.png", "TEST_001.png"]
SIZE = (8, 9)
PICTURES = [(name, RNG.integers(0, 256, (*SIZE, 3), dtype=np.uint8)) for name in NAMES]


def verify(path, **changes):
    verify_zip(path, **{"names": NAMES, "size": SIZE, **changes})


def zip_of(path, entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def test_a_zip_that_was_built_is_accepted_and_holds_the_pictures(tmp_path):
    path = tmp_path / "s.zip"
    build_zip(path, PICTURES)
    verify(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == NAMES
        for name, picture in PICTURES:
            assert np.array_equal(decode_rgb(archive.read(name), name=name), picture)


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    for name in ("a.zip", "b.zip"):
        build_zip(tmp_path / name, PICTURES)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


GOOD = [(name, encode_png(picture)) for name, picture in PICTURES]
GRAY = encode_png(PICTURES[0][1][..., 0])
SMALL = encode_png(PICTURES[0][1][:4])

REFUSED = {
    "one missing": (GOOD[:1], "`TEST_001.png` missing"),
    "one too many": ([*GOOD, ("TEST_002.png", GOOD[0][1])], "`TEST_002.png` not due"),
    "in a folder": ([("x/" + GOOD[0][0], GOOD[0][1]), GOOD[1]], "`x/TEST_000.png` not due"),
    "gray": ([(NAMES[0], GRAY), GOOD[1]], "must be RGB"),
    "small": (
        [(NAMES[0], SMALL), GOOD[1]],
        "`TEST_000.png` must be as large as .*, 8 x 9 px, but is 4 x 9 px",
    ),
    "truncated": ([(NAMES[0], GOOD[0][1][:-9]), GOOD[1]], "truncated"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_is_refused_by_name(tmp_path, fault):
    entries, message = REFUSED[fault]
    with pytest.raises(SubmissionError, match=message):
        verify(zip_of(tmp_path / "s.zip", entries))


def test_a_name_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_of(tmp_path / "s.zip", [*GOOD, GOOD[0]])
    with pytest.raises(SubmissionError, match="`TEST_000.png` there twice"):
        verify(path)


def test_the_sample_submission_has_a_word_too():
    names = ["TEST_000.png", "TEST_001.png"]
    with pytest.raises(SubmissionError, match="`other.png` missing, against the sample_submission"):
        check_sample(names, ["TEST_000.png", "TEST_001.png", "other.png"])
    check_sample(names, [*reversed(names)])
    check_sample(names, None)


def test_no_zip_at_all(tmp_path):
    (tmp_path / "s.zip").write_text("no zip")
    with pytest.raises(SubmissionError, match="must be a zip"):
        verify(tmp_path / "s.zip")
