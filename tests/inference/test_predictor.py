from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ensemble.config import NormalizationSection
from ensemble.damage.fill import fill_hole
from ensemble.errors import ConfigError, MissingArtefactError
from ensemble.inference import predictor as room
from ensemble.inference.fixed import GrayPredictor, InpaintingPredictor, fixed_predictor
from ensemble.inference.load import load_predictor
from ensemble.inference.network import NetworkPredictor
from ensemble.inference.predictor import Shown
from ensemble.members import MEMBERS, Member
from ensemble.networks.colorizers import released
from ensemble.project import Project
from ensemble.vocabulary import FILLS, VIEWS, apply_view, undo_view

RESTORER = MEMBERS["restoration"]["unet-efficientnet-b0"]
AS_IT_IS = replace(RESTORER, input_mode="damaged")
RNG = np.random.default_rng(0)
GRAYS = RNG.integers(0, 256, (5, 20, 24), dtype=np.uint8)
HOLES = np.zeros(GRAYS.shape, dtype=bool)
HOLES[:, 5:12, 6:15] = True
SHOWN = Shown(GRAYS, HOLES)


class _Right(nn.Module):
    """Looks only to the right, so that a view de-augmented wrongly shows."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.roll(x[:, :1], 1, dims=3)


class _SecondChannel(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, 1:2]


def predictor(network: nn.Module, member: Member = AS_IT_IS, batch_size: int = 2):
    return NetworkPredictor(member, network, NormalizationSection(), batch_size=batch_size)


def test_every_view_comes_back_in_the_pose_of_the_input():
    predictions = predictor(_Right()).predict(SHOWN)
    assert list(predictions) == list(VIEWS)
    assert np.array_equal(predictions["identity"], np.roll(GRAYS, 1, axis=2))
    assert np.array_equal(predictions["hflip"], np.roll(GRAYS, -1, axis=2))
    assert np.array_equal(predictions["vflip"], np.roll(GRAYS, 1, axis=2))
    assert np.array_equal(predictions["hvflip"], np.roll(GRAYS, -1, axis=2))


def test_a_prediction_does_not_depend_on_its_batch():
    one = predictor(_Right(), batch_size=1).predict(SHOWN)
    many = predictor(_Right(), batch_size=5).predict(SHOWN)
    assert all(np.array_equal(one[view], many[view]) for view in VIEWS)


def test_a_prefilled_member_is_shown_the_inpainted_input():
    member = replace(RESTORER, input_mode="prefilled")
    shown = predictor(nn.Identity(), member).predict(SHOWN, ["identity"])["identity"]
    for picture, gray, hole in zip(shown, GRAYS, HOLES, strict=True):
        assert np.array_equal(picture, fill_hole(gray, hole, method="spline"))


def test_the_mask_is_the_second_channel_and_is_flipped_with_the_picture():
    member = replace(RESTORER, input_mode="prefilled+mask")
    shown = predictor(_SecondChannel(), member).predict(SHOWN)
    levels = {False: round(0.5 * 255), True: round((0.225 + 0.5) * 255)}
    for view in VIEWS:
        assert np.array_equal(shown[view] == levels[True], HOLES)
        assert np.array_equal(shown[view] == levels[False], ~HOLES)


def test_a_histogram_comes_back_as_it_is():
    member = MEMBERS["colorization"]["histogram-resnet18"]

    class _Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean(dim=(1, 2, 3))[:, None].expand(-1, 180)

    predictions = predictor(_Mean(), member).predict(SHOWN, ["identity", "hflip"])
    assert predictions["identity"].shape == (5, 180)
    assert predictions["identity"].dtype == np.float32
    assert np.allclose(predictions["identity"], predictions["hflip"], atol=1e-6)


@pytest.mark.parametrize("name", ["navier-stokes", "telea"])
def test_inpainting_fills_the_flipped_hole_and_flips_back(name):
    member = MEMBERS["restoration"][name]
    predictions = InpaintingPredictor(member).predict(SHOWN)
    direct = fill_hole(GRAYS[1], HOLES[1], method=name)
    flipped = fill_hole(
        np.ascontiguousarray(GRAYS[1, :, ::-1]),
        np.ascontiguousarray(HOLES[1, :, ::-1]),
        method=name,
    )
    assert np.array_equal(predictions["identity"][1], direct)
    assert np.array_equal(predictions["hflip"][1], flipped[:, ::-1])


@pytest.mark.parametrize("name", [*FILLS, "gray"])
def test_only_members_that_flips_change_predict_every_view(name, monkeypatch):
    stage = "colorization" if name == "gray" else "restoration"
    member = MEMBERS[stage][name]
    predictor = fixed_predictor(member)
    honest, turned = predictor._predict_one, []
    monkeypatch.setattr(
        predictor, "_predict_one", lambda *given: turned.append(1) or honest(*given)
    )
    predictions = predictor.predict(SHOWN)
    assert len(turned) == len(SHOWN.grays) * len(member.views)
    for view in VIEWS:
        first = apply_view(SHOWN.grays[0], view), apply_view(SHOWN.lost_masks[0], view)
        due = undo_view(honest(*first), view).astype(int)
        apart = np.abs(predictions[view][0] - due)
        assert apart.max() <= (1 if member.views == ("identity",) else 0)
        assert (apart > 0).mean() < 0.001


def test_gray_has_no_color():
    member = MEMBERS["colorization"]["gray"]
    predictions = GrayPredictor(member).predict(SHOWN)
    for view in VIEWS:
        assert np.array_equal(predictions[view], np.stack([GRAYS] * 3, axis=-1))


def test_an_untrained_member_says_what_to_run(make_workspace):
    project = Project.open(*make_workspace())
    with pytest.raises(
        MissingArtefactError, match="ens train --stage restoration --member unet-ef"
    ):
        load_predictor(project, RESTORER, 0)


def test_an_external_member_cannot_predict(make_workspace):
    project = Project.open(*make_workspace())
    member = Member("theirs", "colorization", "external", "external")
    with pytest.raises(ConfigError, match="`theirs` was made elsewhere"):
        load_predictor(project, member, 0)


def test_a_hole_is_filled_once_for_all_members(monkeypatch):
    filled = []
    honest = room.fill_hole

    def count(*pair, method):
        filled.append(method)
        return honest(*pair, method=method)

    monkeypatch.setattr(room, "fill_hole", count)
    shown = Shown(GRAYS, HOLES)
    for mode in ("prefilled", "prefilled+mask", "fills+mask+distance"):
        network = nn.Identity() if mode == "prefilled" else _SecondChannel()
        predictor(network, replace(RESTORER, input_mode=mode)).predict(shown)
    assert sorted(filled) == sorted(FILLS * len(GRAYS))


@pytest.mark.parametrize(
    "member", [m for members in MEMBERS.values() for m in members.values() if m.kind == "fixed"]
)
def test_every_fixed_member_has_a_predictor(member, monkeypatch):
    monkeypatch.setattr(released, "load_released", lambda name: nn.Identity())
    assert fixed_predictor(member).member == member


@pytest.mark.parametrize("stage", ["restoration", "colorization"])
def test_a_made_up_fixed_member_is_refused(stage):
    member = Member("sepia", stage, "fixed", "sepia")
    told = f"`sepia` is no fixed member of {stage}; valid, nearest first: "
    with pytest.raises(ConfigError, match=told):
        fixed_predictor(member)
