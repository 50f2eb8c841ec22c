from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from ensemble.checkpoint import checkpoint_digests
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.config import Config
from ensemble.config_text import config_text
from ensemble.data.png import write_png
from ensemble.files import atomic_write
from ensemble.manifest import digest_sample, write_manifest
from ensemble.project import Project
from ensemble.provenance import recipe_digests
from ensemble.report import status as room
from ensemble.workspace import Workspace

FIXED = {"restoration": {"members": ("telea",)}, "colorization": {"members": ("gray",)}}
TRAINED = {
    "restoration": {"members": ("unet-efficientnet-b0", "telea")},
    "colorization": {"members": ("fpn-resnet50", "gray")},
}


@pytest.fixture
def make(make_workspace) -> Callable[..., tuple[Workspace, Config]]:
    def configured(members: dict[str, object]) -> tuple[Workspace, Config]:
        workspace, config = make_workspace(n_train=4, n_test=1, **members)
        workspace.config_file.write_text(config_text(config))
        return workspace, config

    return configured


def tune(workspace: Workspace, config: Config, chroma: str = "mean") -> None:
    project = Project.open(workspace, config)
    recipe = Recipe(
        restoration=StageRecipe.single("telea"),
        colorization=StageRecipe.single("gray"),
        composition=Composition(hue="none", chroma=chroma),
        folds=(0, 1),
        made_from=recipe_digests(project, [], (0, 1), priors=""),
    )
    atomic_write(workspace.recipe_file, recipe.to_json())


def last(said: object, workspace: Workspace) -> str:
    """The command that is next, without the root it names."""
    line = said.out.splitlines()[-1]  # type: ignore[attr-defined]
    return line.replace(f"ens --root {workspace.root}", "ens").removeprefix("next: ")


def test_without_data_or_folds_what_makes_them_is_next(ens, make) -> None:
    workspace, _ = make(FIXED)
    workspace.folds_file.unlink()
    said = ens(workspace.root, "status")
    assert said.status == 0
    assert said.out.splitlines() == [
        f"data in {workspace.data}, no folds yet",
        f"next: ens --root {workspace.root} folds",
    ]
    shutil.rmtree(workspace.data)
    assert ens(workspace.root, "status").out.splitlines() == [
        f"no data in {workspace.data}",
        f"next: put the competition's files there, or run: ens --root {workspace.root} demo",
    ]


def test_from_nothing_to_a_zip_the_next_command_is_said(ens, make) -> None:
    workspace, config = make(FIXED)
    said = ens(workspace.root, "status")
    assert "cached" not in said.out
    assert "recipe: none" in said.out
    assert "submissions: none" in said.out
    assert last(said, workspace) == "ens blend --trials 200"
    ens(workspace.root, "oof", "--fold", "1")
    assert ens(workspace.root, "status").out.count("cached") == 2
    tune(workspace, config)
    said = ens(workspace.root, "status")
    assert "recipe: tuned on fold(s) 0, 1\n" in said.out
    assert last(said, workspace) == "ens submit"
    ens(workspace.root, "submit")
    said = ens(workspace.root, "status")
    assert "submission submission.zip: up to date\n" in said.out
    assert last(said, workspace) == "ens report"


def test_scores_sizes_and_hours_are_shown(make) -> None:
    workspace, config = make(TRAINED)
    project = Project.open(workspace, config)
    member = project.member("restoration", "unet-efficientnet-b0")
    for fold, (score, epochs) in enumerate(((0.4, (60, 30)), (0.6, (90,)))):
        folder = project.folder(member, fold)
        rows = "".join(f"{seconds}\n" for seconds in epochs)
        atomic_write(folder / "metrics.csv", f"seconds\n{rows}")
        atomic_write(folder / "weights.safetensors", b"12345")
        write_manifest(
            folder / "manifest.json",
            kind="checkpoint",
            made_from=checkpoint_digests(project, member, fold),
            seed=0,
            facts={
                "val_score": score,
                "weights": "",
                "weights_sample": digest_sample(folder / "weights.safetensors"),
                "best_epoch": 1,
                "epochs": 1,
                "scores": [score],
            },
        )
    usage = room.measure_usage(project, member)
    files = [path for path in workspace.checkpoints.rglob("*") if path.is_file()]
    assert usage.score == pytest.approx(0.5)
    assert usage.seconds == 180
    assert usage.bytes == sum(path.stat().st_size for path in files) > 10
    untouched = room.measure_usage(project, project.member("colorization", "fpn-resnet50"))
    assert untouched == room.Usage(None, 0, 0.0)
    rows = room.status_table(room.read_status(project))
    shown = {str(column.header): [str(cell) for cell in column.cells] for column in rows.columns}
    assert shown["score"][0] == "0.5000"
    assert shown["hours"][0] == "0.05"


def test_a_zip_from_another_recipe_is_stale_and_submitting_again_is_next(ens, make) -> None:
    workspace, config = make(FIXED)
    tune(workspace, config)
    ens(workspace.root, "submit", "--name", "old")
    tune(workspace, config, chroma="median")
    atomic_write(workspace.submission_file("bare"), b"")
    said = ens(workspace.root, "status")
    old = workspace.submission_file("old")
    bare = workspace.submissions / "bare.json"
    for line in (
        f"submission old.zip: stale: `{old}` was made from another recipe than the present one; "
        "run `ens submit --name old --force`\n",
        f"submission bare.zip: stale: `{bare}` is not there; "
        "run `ens submit --name bare --force`\n",
    ):
        assert line in said.out
    assert last(said, workspace) == "ens submit"
    ens(workspace.root, "submit")
    assert last(ens(workspace.root, "status"), workspace) == "ens report"
    tune(workspace, config)
    said = ens(workspace.root, "status")
    assert "submission old.zip: up to date\n" in said.out
    assert "submission submission.zip: stale: " in said.out
    assert last(said, workspace) == "ens report"
    workspace.submission_file("old").unlink()
    assert last(ens(workspace.root, "status"), workspace) == "ens submit --force"
    workspace.recipe_file.unlink()
    said = ens(workspace.root, "status")
    assert "submission submission.zip: stale: there is no recipe that is up to date" in said.out


def test_other_data_make_everything_stale(ens, make, crops) -> None:
    workspace, config = make(FIXED)
    ens(workspace.root, "oof")
    tune(workspace, config)
    write_png(workspace.data / "train_gt/TRAIN_00000.png", crops[-1])
    said = ens(workspace.root, "status")
    assert said.out.count("stale") == 5
    assert "cached" not in said.out
    assert "recipe: stale: " in said.out
    assert "run `ens blend` again" in said.out
    assert last(said, workspace) == "ens blend --trials 200"


@pytest.mark.parametrize(
    ("states", "tuned", "command"),
    [
        ("-- --", False, "ens train --fold 0"),
        ("cs --", False, "ens train --fold 0"),
        ("cs c-", False, "ens blend --trials 200 (or train more: ens train --fold 1)"),
        ("-c -c", False, "ens blend --trials 200 (or train more: ens train --fold 0)"),
        ("cx cc", False, "ens blend --trials 200 (or train more: ens train --fold 1)"),
        ("ct cc", False, "ens blend --trials 200"),
        ("cc cc", False, "ens blend --trials 200"),
        ("cc c-", True, "ens submit (or train more: ens train --fold 1)"),
        ("cc cc", True, "ens submit"),
    ],
)
def test_the_next_command_follows_from_what_is_trained(
    ens, make, monkeypatch: pytest.MonkeyPatch, states: str, tuned: bool, command: str
) -> None:
    """States of the two trained members, a fold each; the fixed one never asks for a training."""
    workspace, config = make(TRAINED)
    if tuned:
        tune(workspace, config)
    words = {"-": "-", "c": "cached", "s": "started", "t": "trained", "x": "stale"}
    of = dict(zip(TRAINED, states.split(), strict=True))

    def member_state(project: Project, member: object, fold: int) -> str:
        kind, stage = member.kind, member.stage  # type: ignore[attr-defined]
        return words[of[stage][fold]] if kind == "trained" else "-"

    monkeypatch.setattr(room, "member_state", member_state)
    said = ens(workspace.root, "status")
    assert said.status == 0
    assert last(said, workspace) == command
    for name in ("unet-efficientnet-b0", "telea", "fpn-resnet50", "fold 0", "fold 1"):
        assert name in said.out
