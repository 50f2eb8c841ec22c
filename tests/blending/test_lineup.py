from __future__ import annotations

import itertools
import time

import pytest

from ensemble.blending import lineup
from ensemble.blending.lineup import choose_lineup
from ensemble.errors import ConfigError, MissingArtefactError
from ensemble.members import MEMBERS

FIXED = ("navier-stokes", "telea", "gray")


@pytest.fixture
def choose(project, monkeypatch):
    """The lineup of members of the registry that have finished these folds."""

    def choose(done, folds=(0, 1, 2, 3, 4), names=()):
        every = [member for stage in MEMBERS.values() for member in stage.values()]
        members = tuple(member for member in every if (member.stage, member.name) in done)
        monkeypatch.setattr(type(project), "all_members", lambda _: members)
        monkeypatch.setattr(lineup, "finished_folds", lambda _, m: done[m.stage, m.name])
        return choose_lineup(project, folds, names)

    return choose


def restorers(**done):
    return {("restoration", name.replace("_", "-")): folds for name, folds in done.items()}


def colorizers(**done):
    return {("colorization", name.replace("_", "-")): folds for name, folds in done.items()}


def names(found):
    return [member.name for stage in found.members.values() for member in stage]


ALL = (0, 1, 2, 3, 4)
SIX = {
    **restorers(unet_efficientnet_b0=(0,), unet_mobilenet_v2=(0,), manet_efficientnet_b1=(0,)),
    **colorizers(unet_efficientnet_b1=(0,), deeplabv3_efficientnet_b2=(0,), fpn_resnet50=(0,)),
}


def test_fixed_members_do_not_outvote_trained_ones(choose):
    found = choose({**SIX, **restorers(navier_stokes=ALL), **colorizers(gray=ALL)})
    assert found.folds == (0,)
    assert len(names(found)) == 8
    assert len(found.left_out) == 4
    assert found.left_out[0].startswith(
        "left out: fold 1, which restoration `unet-efficientnet-b0`, "
    )


def test_most_finished_trainings_win_then_most_members(choose):
    done = {
        **restorers(unet_efficientnet_b0=(0, 1), unet_mobilenet_v2=(1,)),
        **colorizers(fpn_resnet50=(0, 1)),
    }
    found = choose(done)
    assert (names(found), found.folds) == (["unet-efficientnet-b0", "fpn-resnet50"], (0, 1))
    assert found.left_out[0] == (
        "left out: restoration `unet-mobilenet-v2`, which has not finished fold 0"
    )
    done |= colorizers(unet_efficientnet_b1=(1,))
    assert choose(done).folds == (1,)  # 4 x 1 trainings are as many as 2 x 2, by more members


def test_what_two_members_have_in_common_may_be_best(choose):
    found = choose(
        {**restorers(unet_efficientnet_b0=(0, 1, 2)), **colorizers(fpn_resnet50=(1, 2, 3))}
    )
    assert (len(names(found)), found.folds) == (2, (1, 2))


def test_fixed_members_alone_are_blended_where_nothing_is_trained(choose):
    done = {**restorers(navier_stokes=ALL), **colorizers(gray=ALL, fpn_resnet50=())}
    found = choose(done)
    assert (names(found), found.folds) == (["navier-stokes", "gray"], ALL)
    assert found.left_out == (
        "left out: colorization `fpn-resnet50`, which has not finished fold 0, 1, 2, 3, 4",
    )


def test_a_histogram_alone_is_no_stage(choose):
    done = {**restorers(navier_stokes=ALL), **colorizers(histogram_resnet18=(0,))}
    with pytest.raises(MissingArtefactError, match="none among the folds 0, 1, 2, 3, 4; run"):
        choose(done)


def test_forty_folds_take_no_time(choose):
    """All subsets of 40 folds would take years."""
    folds = tuple(range(40))
    halves = itertools.cycle([folds[:25], folds[10:], folds])
    done = {key: next(halves) for key in SIX}
    started = time.monotonic()
    assert len(choose(done, folds).folds) >= 15
    assert time.monotonic() - started < 5


def test_members_can_be_named_and_a_stage_without_a_name_has_all_of_its_own(choose):
    found = choose(SIX, names=("fpn-resnet50", "unet-efficientnet-b1"))
    assert len(found.members["restoration"]) == 3
    assert {m.name for m in found.members["colorization"]} == {
        "fpn-resnet50",
        "unet-efficientnet-b1",
    }
    assert found.left_out[-1] == (
        "left out: colorization `deeplabv3-efficientnet-b2`, which --member does not name"
    )
    with pytest.raises(ConfigError, match="fpn-resnet50"):
        choose(SIX, names=("fpn-resnet5",))
