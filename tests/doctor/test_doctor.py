from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from ensemble.arrays import luma
from ensemble.config import Config
from ensemble.config_text import config_text
from ensemble.data.competition import Competition
from ensemble.data.photographs import Photographs
from ensemble.data.png import write_png
from ensemble.doctor import Finding, machine, timing
from ensemble.doctor import cost as costs
from ensemble.doctor.cost import (
    Hours,
    check_disk,
    check_memory,
    disk_bytes,
)
from ensemble.doctor.data import check_copies, check_data
from ensemble.doctor.timing import NetworkCost, time_decoding, time_network
from ensemble.members import MEMBERS, Member
from ensemble.parallel import silent
from ensemble.project import Project
from ensemble.report.holes import find_holes
from tests.reference.onnx_files import Inpainter, Tint, export

UNET = MEMBERS["restoration"]["unet-mobilenet-v2"]
FPN = MEMBERS["colorization"]["fpn-resnet50"]
SPLINE = MEMBERS["restoration"]["spline"]
COST = NetworkCost(
    UNET,
    step_seconds=0.5,
    batch_seconds=0.001,
    photo_seconds=0.01,
    gpu_bytes=0,
    weight_bytes=10**7,
)


def look(project: Project, sample: int = 50) -> dict[str, Finding]:
    """The findings on the data, by what they are of; the worst where there are two."""
    competition = Competition.load(project.workspace.data, size=project.config.data.size, seed=0)
    order = ["ok", "warning", "wrong"]
    found = list(check_data(competition, sample=sample, seed=0, progress=silent))
    return {one.what: one for one in sorted(found, key=lambda one: order.index(one.verdict))}


def test_data_as_due_is_well(project):
    found = look(project)
    assert found["photographs"].text.startswith("6 to train on, 2 to test, ")
    assert "damage simulated" in found["photographs"].text
    assert found["damage"].verdict == "ok"
    assert "2 holes are doubtful" in found["test"].text or found["test"].verdict in (
        "ok",
        "warning",
    )


def test_a_photograph_that_is_none_is_named(project):
    name = project.competition.train_ids[2]
    (project.workspace.data / "train_gt" / f"{name}.png").write_bytes(b"not a picture")
    finding = look(project)["damage"]
    assert finding.verdict == "wrong"
    assert "1 of 6 are not as due" in finding.text
    assert f"{name}.png" in finding.text


def test_a_gray_of_another_formula_is_wrong(project):
    for name in project.competition.train_ids:
        target = project.competition.target(name)
        write_png(
            project.workspace.data / "train_input" / f"{name}.png",
            target.mean(axis=-1).astype(np.uint8),
        )
    finding = look(project)["damage"]
    assert finding.verdict == "wrong"
    assert 'Pillow\'s `convert("L")`' in finding.text


def test_a_true_gray_that_is_the_fill_counts_as_in_ens_damage(project):
    """A lost pixel whose true gray is the fill shows no damage, and cannot be judged."""
    for name in project.competition.train_ids:
        target = project.competition.target(name).copy()
        target[30:50, 30:40] = 90
        damaged = luma(target)
        damaged[30:50, 30:60] = 90
        write_png(project.workspace.data / "train_gt" / f"{name}.png", target)
        write_png(project.workspace.data / "train_input" / f"{name}.png", damaged)
    competition = Competition.load(project.workspace.data, size=project.config.data.size, seed=0)
    holes = find_holes(competition, competition.train_ids)
    good = np.mean([hole.iou >= 0.99 for hole in holes])
    assert good > 0
    assert look(project)["located"].text.startswith(f"{good:.1%} of these holes")


def test_test_photographs_without_holes_are_doubtful(project):
    rng = np.random.default_rng(0)
    for path in (project.workspace.data / "test_input").iterdir():
        write_png(path, rng.integers(0, 256, project.competition.size, dtype=np.uint8))
    finding = look(project)["test"]
    assert finding.verdict == "warning"
    assert finding.text.startswith("2 of 2 holes are doubtful")


def test_copies_of_training_photographs_are_named(project):
    photographs = project.photographs
    assert "run `ens folds`" in check_copies(photographs, silent).text
    photographs.prepare()
    rng = np.random.default_rng(0)
    first, second = project.competition.test_ids
    copied = project.competition.train_ids[3]
    noise = rng.integers(0, 256, (4, 4), dtype=np.uint8)
    other = cv2.resize(noise, project.competition.size, interpolation=cv2.INTER_CUBIC)
    copy = project.competition.train_sample(copied).damaged
    for name, picture in ((first, other), (second, copy)):
        write_png(project.workspace.data / "test_input" / f"{name}.png", picture)
    finding = check_copies(photographs, silent)
    assert finding.verdict == "warning"
    assert finding.text.startswith(
        f"1 of 2 test photographs show the scene of a training photograph, `{second}` that of "
        f"`{copied}`"
    )
    write_png(project.workspace.data / "test_input" / f"{second}.png", other)
    assert check_copies(photographs, silent).verdict == "ok"


@pytest.mark.parametrize("member", [UNET, FPN])
def test_networks_are_timed_by_real_steps(project, member):
    config = project.config.replace("training", batch_size=8)
    ids = project.competition.train_ids
    found = time_network(member, config, Photographs(project.competition), ids)
    assert min(found.step_seconds, found.batch_seconds, found.photo_seconds) > 0
    parameters = sum(p.numel() for p in timing.build(member, encoder_weights="none").parameters())
    assert found.weight_bytes >= 4 * parameters
    assert found.fits


def test_a_processor_steps_on_few_photographs_and_counts_for_all(project, monkeypatch):
    monkeypatch.setattr(timing, "_time", lambda work: work() or 1.0)
    config = project.config.replace("training", batch_size=8)
    photographs = Photographs(project.competition)
    found = time_network(UNET, config, photographs, project.competition.train_ids)
    assert found.step_seconds == 4.0
    assert (found.batch_seconds, found.photo_seconds) == (0.5, 0.5)


@pytest.fixture
def memory(monkeypatch):
    """Networks that are timed run out of memory above this number of photographs."""
    most, build = [10**9], timing.build

    def count(network, inputs):
        if len(inputs[0]) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def built(*args, **kwargs):
        network = build(*args, **kwargs)
        network.register_forward_pre_hook(count)
        return network

    monkeypatch.setattr(timing, "build", built)
    return most


def test_a_batch_that_does_not_fit_is_timed_in_parts(project, memory, monkeypatch):
    monkeypatch.setattr(timing, "_ON_CPU", 5)
    config, photographs = project.config, Photographs(project.competition)
    memory[0] = 2
    found = time_network(UNET, config, photographs, project.competition.train_ids)
    assert (found.parts, found.fits) == (4, True)
    (finding,) = check_memory([COST, found], config)
    assert finding.verdict == "warning"
    assert "unet-mobilenet-v2: a batch of 16 fits in 4 parts" in finding.text
    memory[0] = 0
    found = time_network(UNET, config, photographs, project.competition.train_ids)
    assert not found.fits
    (finding,) = check_memory([COST, found], config)
    assert finding.verdict == "wrong"
    assert "unet-mobilenet-v2: not even a single photograph fits" in finding.text
    hours = Hours(config, 1.0, 99).check([COST, found])
    assert not any("nan" in finding.text for finding in hours)


def test_decoding_is_timed_on_photographs_of_the_competition(project, monkeypatch):
    ids = project.competition.train_ids
    moments = iter([10.0, 12.0])
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: next(moments)))
    assert time_decoding(project.competition, ids) == len(ids) / 2


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(costs, "count_cores", lambda: 4)


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        # 16 photographs of 0.001 s are made by 2 readers in 0.008 s, well within a step of 0.5 s.
        ({"num_workers": 2}, 0.0),
        # Four cores decode 10 photographs/s: 0.4 s each. 16 * 0.401 s / 4 readers - 0.5 s.
        ({"num_workers": 4, "cache": False}, 1.104),
        # No more readers than cores.
        ({"num_workers": 9, "cache": False}, 1.104),
        # Without readers nothing is made meanwhile.
        ({"num_workers": 0}, 0.016),
        ({"num_workers": 0, "cache": False}, 16 * 0.401),
    ],
)
def test_a_device_waits_for_what_is_not_made_meanwhile(four_cores, settings, seconds):
    config = Config().replace("training", batch_size=16, **settings)
    assert Hours(config, 10.0, 1).wait(COST) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"num_workers": 4, "cache": False}, "set `cache = true`"),
        ({"num_workers": 1}, "set `num_workers = -1`"),
        ({"num_workers": 4}, "more cores"),
    ],
)
def test_reading_that_keeps_the_device_waiting_is_said(four_cores, settings, remedy):
    config = Config().replace("training", **settings)
    slow = replace(COST, batch_seconds=0.25)
    decoding, waits = Hours(config, 10.0, 18000).check_reading([slow])
    assert decoding == Finding(
        "ok", "decoding", "4 cores decode 10 photographs/s: 30 min for all 18000 once"
    )
    assert (waits.verdict, waits.what) == ("warning", "reading")
    assert "unet-mobilenet-v2 could learn from 32 photographs/s, but waits" in waits.text
    assert remedy in waits.text
    share = Hours(config, 10.0, 18000).wait(slow)
    assert f"{share / (share + 0.5):.0%} of the time" in waits.text
    fast = list(Hours(Config(), 10.0, 18000).check_reading([COST]))
    assert [finding.what for finding in fast] == ["decoding"]


def test_hours_count_steps_waiting_validation_and_collection(four_cores):
    config = Config().replace("training", epochs=10, batch_size=16, num_workers=0)
    config = config.replace("oof", photographs=500)

    def hours(config):
        return Hours(config, 10.0, 1000).of_fold(COST)

    # 800 of 1000 are learned from in 50 steps; 100 are validated, and collected in 4 views.
    due = (10 * (50 * (0.5 + 0.016) + 100 * 0.01) + 4 * 100 * 0.01) / 3600
    assert math.isclose(hours(config), due)
    assert hours(config.replace("training", steps_per_epoch=5)) < due / 4
    own = Config.model_validate(
        config.model_dump() | {"member": [{"name": UNET.name, "stage": UNET.stage, "epochs": 20}]}
    )
    assert hours(own) > 1.9 * due
    found = list(Hours(config, 10.0, 1000).check([COST]))
    assert [finding.what for finding in found] == ["restoration unet-mobilenet-v2", "hours"]
    assert found[0].text == f"0.5 s a step, {60 * due:.0f} min a fold"
    assert f"{60 * due:.0f} min a fold, {300 * due:.0f} min for 5 folds" in found[1].text
    full = 10 * 63 * (0.5 + 0.016) / 60  # all 1000, in 63 steps; nothing is validated or collected
    assert f"and {full:.0f} min more for all photographs" in found[1].text


def test_disk_counts_what_is_written():
    config = Config()
    found = disk_bytes([UNET, SPLINE, FPN], [COST], config, 29603)
    pixels = 512 * 512
    assert found["decoded photographs"] == 29603 * (4 * pixels + pixels // 8)
    assert 29603 * pixels // 8 < found["descriptions and located holes"] < 29603 * 36_000
    assert found["out-of-fold predictions"] == 2000 * pixels * (1 + 4 + 1 + 12)
    assert found["checkpoints"] == 5 * found["those of `train --fold full`"] == 5 * 4 * 10**7
    assert "decoded photographs" not in disk_bytes(
        [UNET], [COST], config.replace("training", cache=False), 29603
    )


def test_the_decoded_files_are_as_large_as_is_said(project):
    project.photographs.prepare()
    folder = project.workspace.cache / "photographs"
    actual = sum(path.stat().st_size for path in folder.glob("*.npy"))
    needed = disk_bytes([SPLINE], [], project.config, 6)
    said = needed["decoded photographs"] + needed["descriptions and located holes"]
    assert said <= actual <= said + 4096


@pytest.mark.parametrize(
    ("free", "verdict", "remedy"),
    [
        (60e9, "ok", ""),
        (20e9, "wrong", "set `cache = false` under [training]"),
        (
            6.8e9,
            "wrong",
            "set `cache = false` under [training] and `photographs = 201` under [oof]",
        ),
        (1e9, "wrong", "free some space"),
    ],
)
def test_a_small_disk_is_told_what_fits(free, verdict, remedy):
    needed = disk_bytes([UNET, SPLINE, FPN], [COST] * 20, Config(), 29603)
    finding = check_disk(needed, int(free), Config())
    assert finding.verdict == verdict
    assert remedy in finding.text


def test_what_is_advised_fits():
    config = Config().replace("training", cache=False).replace("oof", photographs=201)
    needed = disk_bytes([UNET, SPLINE, FPN], [COST] * 20, config, 29603)
    assert check_disk(needed, 68 * 10**8, config).verdict == "ok"
    more = config.replace("oof", photographs=203)
    needed = disk_bytes([UNET, SPLINE, FPN], [COST] * 20, more, 29603)
    assert check_disk(needed, 68 * 10**8, more).verdict == "wrong"


def test_weights_that_cannot_be_had_are_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "is_cached", lambda release: False)
    monkeypatch.setattr(machine, "hub_answers", lambda: False)
    found = {one.what: one for one in machine.check_machine(Config(), [UNET, SPLINE])}
    assert found["weights"].verdict == "wrong"
    assert "mobilenet_v2" in found["weights"].text
    monkeypatch.setattr(machine, "hub_answers", lambda: True)
    found = {one.what: one for one in machine.check_machine(Config(), [UNET])}
    assert found["weights"] == Finding("ok", "weights", "will be downloaded once: mobilenet_v2")
    monkeypatch.setattr(machine, "is_cached", lambda release: True)
    found = {one.what: one for one in machine.check_machine(Config(), [UNET])}
    assert found["weights"].verdict == "ok"
    random = Config().replace("training", encoder_weights="none")
    assert "weights" not in {one.what for one in machine.check_machine(random, [UNET])}


def test_onnx_files_are_opened(tmp_path):
    given = {"stage": "restoration", "kind": "fixed", "arch": "onnx", "adapter": "inpainting"}
    fits, other, gone = (Member(n, file=f"{n}.onnx", **given) for n in ("fits", "other", "gone"))
    shapes = {"image": (1, 3, 32, 32), "mask": (1, 1, 32, 32)}
    export(Inpainter(), tmp_path / "fits.onnx", shapes)
    export(Tint(), tmp_path / "other.onnx", {"input": (1, 3, 32, 32)})
    members = [fits, MEMBERS["restoration"]["spline"], other, gone]
    good, wrong, missing = machine.check_onnx_files(tmp_path, members)
    assert good.verdict == "ok"
    assert "`fits.onnx` is as its adapter `inpainting` needs it" in good.text
    assert (wrong.verdict, missing.verdict) == ("wrong", "wrong")
    assert "`other`: " in wrong.text
    assert "must take `image` float32" in wrong.text
    assert "cannot be read" in missing.text


def test_a_gpu_is_named_with_its_real_precision(monkeypatch):
    t4 = SimpleNamespace(name="Tesla T4", total_memory=15.8e9, major=7, minor=5)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: t4)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    found = {one.what: one for one in machine.check_machine(Config(), [])}
    assert found["GPU"].verdict == "ok"
    assert "Tesla T4, 16 GB, compute capability 7.5, trains in fp16" in found["GPU"].text
    small = replace_memory(t4, 4e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: small)
    found = {one.what: one for one in machine.check_machine(Config(), [])}
    assert found["GPU"].verdict == "warning"


def replace_memory(properties: SimpleNamespace, total: float) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(properties), "total_memory": total})


def test_the_command_ends_with_1_where_something_is_wrong(ens, make_workspace):
    members = {"restoration": {"members": ("spline",)}, "colorization": {"members": ("gray",)}}
    workspace, config = make_workspace(**members)
    workspace.config_file.write_text(config_text(config))
    said = ens(workspace.root, "doctor")
    assert said.status == 0, said.line
    assert "6 to train on" in said.line
    assert "photographs/s" in said.line
    assert "GB are free" in said.line
    (workspace.data / "train_gt" / "TRAIN_00000.png").write_bytes(b"x")
    assert ens(workspace.root, "doctor", "--quick").status == 1
