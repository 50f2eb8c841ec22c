"""The rehearsal at full size, in small: its photographs, its measuring and its table."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.full_scale import compare_groups, compare_results, make_table
from benchmarks.many_photographs import find_regions, make_photographs, share_out
from benchmarks.measured import run_measured
from ensemble.arrays import luma
from ensemble.data.competition import Competition
from ensemble.data.folds_csv import read_groups, write_folds
from ensemble.data.png import read_rgb
from ensemble.errors import ConfigError
from ensemble.folds.split import Folds
from ensemble.workspace import Workspace

SIZE = 64


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(3):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), cv2.resize(coarse, (80, 80)))
    return folder


def make(photos, folder, **options):
    make_photographs(photos, folder, **{"count": 12, "size": SIZE, "test_count": 2} | options)
    return folder


def test_photographs_are_a_competition_with_whole_pairs(photos, tmp_path):
    competition = Competition.load(make(photos, tmp_path), size=SIZE, seed=0)
    assert len(competition.train_ids) == 12
    assert competition.test_ids == ("TEST_000", "TEST_001")
    samples = [competition.train_sample(image_id) for image_id in competition.train_ids]
    for sample in samples:
        differs = sample.damaged != luma(sample.target)
        assert 0 < differs.mean() < 0.9
        assert len(np.unique(sample.damaged[differs])) == 1
    assert len({sample.target.tobytes() for sample in samples}) == 12
    answer = luma(read_rgb(tmp_path / "test_target" / "TEST_001.png"))
    assert 0 < np.mean(competition.test_input("TEST_001") != answer) < 0.9


def test_photographs_follow_from_their_names_and_are_made_once(photos, tmp_path):
    first, second = make(photos, tmp_path / "a"), make(photos, tmp_path / "b")
    files = sorted(path.relative_to(first) for path in first.rglob("*.*"))
    assert len(files) == 2 * 14 + 3
    assert all((first / file).read_bytes() == (second / file).read_bytes() for file in files)
    kept, lost = (first / "train_gt" / f"TRAIN_0000{index}.png" for index in (0, 1))
    before = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    make(photos, first)
    assert (kept.stat().st_mtime_ns, lost.read_bytes()) == before


def test_groups_are_regions_and_test_regions_give_no_training_photograph(photos, tmp_path):
    make(photos, tmp_path, count=40)
    names = [f"TRAIN_{index:05d}" for index in range(40)]
    labels = read_groups(tmp_path / "groups.csv", names)
    tested = {region.label for region in find_regions(photos, 2)[:2]}
    assert len(set(labels)) == 12 - len(tested)
    assert not tested & set(labels)


def test_regions_are_shared_out_as_the_slides_count_groups(photos):
    regions = find_regions(photos, 8)
    drawn = share_out(regions, 1000)
    counts = sorted(drawn.count(region) for region in regions)
    singles = round(len(regions) * 2162 / 4618)
    assert counts[:singles] == [1] * singles
    assert set(counts[singles:]) <= {8, 9}


def test_too_few_source_photographs_are_refused(photos, tmp_path):
    with pytest.raises(ConfigError, match="gives 3 regions; 102 are needed"):
        make_photographs(photos, tmp_path, count=12, cut=1)


def test_a_command_is_measured_with_its_children():
    child = "x = bytearray(200_000_000); import time; time.sleep(1.5); sum(range(10**7))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    found = run_measured([sys.executable, "-c", parent])
    assert found.seconds > 1.5
    assert 0.05 < found.cpu < found.seconds
    assert 200e6 < found.memory < found.mapped < 400e6
    assert found.killed == 0


def test_a_command_is_killed_with_its_children(tmp_path):
    child = f"import time; time.sleep(3); open({str(tmp_path / 'alive')!r}, 'w')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    found = run_measured([sys.executable, "-c", parent], kill_after=0.7)
    assert found.killed == 1
    assert found.seconds < 3
    run_measured([sys.executable, "-c", "import time; time.sleep(3)"])
    assert not (tmp_path / "alive").exists()


def test_a_command_that_fails_ends_the_rehearsal():
    with pytest.raises(SystemExit, match="ended with 3"):
        run_measured([sys.executable, "-c", "raise SystemExit(3)"])


def test_the_table_has_a_row_a_step():
    figures = {
        "seconds": 1234.4,
        "cpu": 2000.0,
        "memory": 1_500_000_000,
        "mapped": 2_250_000_000,
        "disk": {"cache": 33_000_000_000, "oof": 0},
        "killed": 1,
    }
    lines = make_table({"folds": figures}).splitlines()
    assert lines[2:] == ["| folds (killed once) | 1,234 | 2,000 | 1.50 (2.25) | cache 33.00 |"]


def test_found_groups_are_compared_with_those_that_were_made(tmp_path):
    workspace = Workspace(tmp_path)
    names, made = ["a", "b", "c", "d"], ["1", "1", "1", "2"]
    (tmp_path / "data").mkdir()
    rows = "".join(f"{name},{label}\n" for name, label in zip(names, made, strict=True))
    Path(tmp_path / "data" / "groups.csv").write_text("image,label\n" + rows)
    folds = Folds(tuple(names), ("x", "x", "c", "d"), (0, 0, 1, 1), 2)
    write_folds(workspace.folds_file, folds)
    assert compare_groups(workspace) == (
        "2 groups were made, 3 found; 1 of 4 photographs lie in another fold than most of their "
        "group"
    )


def test_a_killed_rehearsal_is_compared_with_an_undisturbed_one(tmp_path):
    one, other = (Workspace(tmp_path / name) for name in "ab")
    for workspace in (one, other):
        (workspace.root / "oof").mkdir(parents=True)
        (workspace.root / "folds.csv").write_text("same")
        (workspace.root / "oof" / "study.log").write_text(f"begun at {workspace.root}")
    assert compare_results(one, other) == f"all 1 files are the same as in {other.root}"
    (one.root / "oof" / "left.part").write_text("")
    (one.root / "folds.csv").write_text("changed")
    assert compare_results(one, other) == (
        f"2 of 2 files differ from {other.root}: folds.csv, oof/left.part"
    )
