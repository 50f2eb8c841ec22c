from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.arrays import luma
from ensemble.composition.hue_prior import N_STATISTICS, HuePrior
from ensemble.composition.recipe import SLIDES, Composition, Recipe, StageRecipe
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.damage.fill import fill_hole
from ensemble.data.png import read_rgb, write_png
from ensemble.errors import ConfigError, EnsembleError, MissingArtefactError
from ensemble.files import atomic_write
from ensemble.oof.priors import Priors, write_priors
from ensemble.project import Project
from ensemble.provenance import recipe_digests
from ensemble.submission.chain import predict_test
from ensemble.submission.predict import (
    Chain,
    Holes,
    choose_look,
    list_photographs,
    predict,
    predict_files,
)
from ensemble.vocabulary import FULL


@pytest.fixture
def recipe(project: Project) -> Recipe:
    rng = np.random.default_rng(0)
    prior = HuePrior.fit(
        statistics=[rng.random((9, N_STATISTICS))], histograms=rng.random((9, 180))
    )
    priors = Priors({0: prior, 1: prior, FULL: prior})
    write_priors(project.workspace.priors_file, priors)
    made_from = recipe_digests(project, project.all_members(), (0, 1), priors=priors.digest())
    recipe = Recipe(
        restoration=StageRecipe.plain_mean(["navier-stokes", "telea"]),
        colorization=StageRecipe.single("gray"),
        composition=Composition(),
        folds=(0, 1),
        made_from=made_from,
    )
    atomic_write(project.workspace.recipe_file, recipe.to_json())
    return recipe


@pytest.fixture(scope="module")
def plain() -> Chain:
    return Chain.without_training("gray", size=48)


def test_a_test_photograph_is_answered_as_it_is_sent(project: Project, recipe: Recipe) -> None:
    chain = Chain.open(project, look="score")
    for sent in predict_test(project, recipe, chain.priors, advance=lambda _: None):
        lost_mask = project.photographs.located(sent.image_id)
        answer = chain.answer(sent.image_id, sent.damaged, lost_mask)
        assert np.array_equal(answer.picture, sent.picture)
        assert np.ptp(answer.picture, axis=-1).any(), "some colors are to be compared"


def test_holes_are_decoded_for_minimum_risk_only_for_the_score(
    project: Project, recipe: Recipe
) -> None:
    risk = recipe.restoration.model_copy(update={"decode": "minimum-risk"})
    changed = recipe.model_copy(update={"restoration": risk})
    image_id = project.competition.test_ids[0]
    shown = image_id, project.photographs.damaged(image_id), project.photographs.located(image_id)
    mean = Chain.open(project, look="none").answer(*shown).gray
    atomic_write(project.workspace.recipe_file, changed.to_json())
    assert np.array_equal(Chain.open(project, look="none").answer(*shown).gray, mean)
    assert np.array_equal(Chain.open(project, look="natural").answer(*shown).gray, mean)
    assert not np.array_equal(Chain.open(project, look="score").answer(*shown).gray, mean)


@pytest.mark.parametrize("shape", [(300, 451), (40, 40), (7, 90)])
def test_the_luma_is_that_of_the_photograph_at_its_own_size(
    project: Project, recipe: Recipe, photograph: np.ndarray, shape: tuple[int, int]
) -> None:
    gray = np.asarray(Image.fromarray(luma(photograph)).resize(shape[::-1]))
    chain = Chain.open(project, look="natural")
    whole = chain.answer("", gray, np.zeros(shape, dtype=bool)).picture
    assert np.array_equal(luma(whole), gray)
    lost_mask = np.zeros(shape, dtype=bool)
    lost_mask[2:6, 3:9] = True
    filled = chain.answer("", np.where(lost_mask, np.uint8(0), gray), lost_mask)
    assert np.array_equal(luma(filled.picture), filled.gray)
    assert np.array_equal(filled.gray[~lost_mask], gray[~lost_mask])
    assert filled.gray[lost_mask].any()


def test_a_hole_is_filled_as_if_nothing_else_of_a_large_photograph_were_there(
    plain: Chain, photograph: np.ndarray
) -> None:
    gray = luma(photograph)
    lost_mask = np.zeros(gray.shape, dtype=bool)
    lost_mask[300:320, 200:230] = True
    answer = plain.answer("", gray, lost_mask)
    fills = [fill_hole(gray, lost_mask, method=name).astype(float) for name in ("spline", "telea")]
    assert np.abs(answer.gray - (fills[0] + fills[1]) / 2).max() <= 1


def test_looks() -> None:
    recipe = Composition(hue="score", data_range="full")
    natural = choose_look(recipe, "natural")
    assert (natural.hue, natural.data_range, natural.luma_lock) == ("natural", "as-is", True)
    assert choose_look(recipe, "none").hue == "none"
    assert choose_look(recipe, "score") == recipe
    assert choose_look(SLIDES, "natural").hue == "none", "a recipe that moves no hue has no prior"
    assert choose_look(SLIDES, "score") == SLIDES.model_copy(update={"luma_lock": True})


def test_without_training_nothing_is_colored(plain: Chain, photograph: np.ndarray) -> None:
    gray = luma(photograph)
    picture = plain.answer("", gray, np.zeros(gray.shape, dtype=bool)).picture
    assert np.array_equal(picture, np.stack([gray] * 3, axis=-1))
    with pytest.raises(ConfigError, match="`fpn-resnet50` is no fixed colorizer"):
        Chain.without_training("fpn-resnet50", size=48)


def test_an_external_member_is_refused_by_name(project: Project, recipe: Recipe) -> None:
    table = {"name": "theirs", "stage": "colorization", "arch": "external"}
    content = project.config.model_dump()
    content["member"] = [table]
    content["colorization"]["members"] = ["gray", "theirs"]
    other = Project.open(project.workspace, type(project.config).model_validate(content))
    mixed = recipe.model_copy(update={"colorization": StageRecipe.plain_mean(["gray", "theirs"])})
    atomic_write(project.workspace.recipe_file, mixed.to_json())
    with pytest.raises(MissingArtefactError, match="ens oof import theirs"):
        Chain.open(other, look="natural")


def test_holes_are_those_of_masks_then_located_ones(tmp_path: Path, photograph: np.ndarray) -> None:
    gray = luma(photograph)
    damage = draw_damage(size=gray.shape, seed=3)
    damaged = apply_damage(gray, damage)
    drawn = np.zeros(gray.shape, dtype=bool)
    drawn[5:9, 5:9] = True
    write_png(tmp_path / "masks" / "one.png", drawn)
    for masks in (tmp_path / "masks", tmp_path / "masks/one.png"):
        mask, kind = Holes(masks, locate=False).find(Path("x/one.jpg"), damaged)
        assert kind == "mask"
        assert np.array_equal(mask, drawn)
    mask, kind = Holes(tmp_path / "masks").find(Path("x/two.jpg"), damaged)
    assert kind == "located"
    assert np.array_equal(mask, damaged != gray) or (mask ^ (damaged != gray)).mean() < 1e-3
    for holes, shown in ((Holes(locate=False), damaged), (Holes(), gray), (Holes(), gray[:7, :7])):
        mask, kind = holes.find(Path("one.jpg"), shown)
        assert kind == "none"
        assert not mask.any()


def test_photographs_of_files_and_folders_are_listed_once(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    found = list_photographs([tmp_path / "b.png", tmp_path, tmp_path / "gone.jpg"])
    assert [path.name for path in found] == ["b.png", "a.jpg", "gone.jpg"]


@pytest.fixture
def album(tmp_path: Path, photograph: np.ndarray) -> Path:
    folder = tmp_path / "album"
    for name, part in (("a.png", photograph[:50, :70]), ("b.png", photograph[60:100, :30])):
        write_png(folder / name, np.ascontiguousarray(part))
    return folder


def run(chain: Chain, paths: list[Path], out: Path, **options):
    values = {"holes": Holes(locate=False), "force": False, **options}
    return list(predict_files(chain, list_photographs(paths), out, **values))


def test_one_that_fails_stops_no_other_and_is_named(
    plain: Chain, album: Path, tmp_path: Path
) -> None:
    (album / "aa.png").write_bytes(b"nothing")
    out = tmp_path / "out"
    first, broken, last = run(plain, [album], out)
    assert (first.written, first.hole) == (out / "a.png", "none")
    assert f"`{album / 'aa.png'}` must be a picture" in broken.error
    assert last.written == out / "b.png"
    assert read_rgb(out / "b.png").shape == (40, 30, 3)
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.png"]


def test_nothing_is_overwritten_unasked(plain: Chain, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    passed, made = run(plain, [album], out)
    assert (passed.written, passed.error, made.written) == (None, "", out / "b.png")
    assert (out / "a.png").read_bytes() == b"mine"
    assert run(plain, [album], out, force=True)[0].written == out / "a.png"
    assert read_rgb(out / "a.png").shape == (50, 70, 3)


def test_a_photograph_is_never_written_over(plain: Chain, album: Path) -> None:
    before = (album / "a.png").read_bytes()
    for outcome in run(plain, [album], album, force=True):
        assert "is a photograph to predict; give another --out" in outcome.error
    assert (album / "a.png").read_bytes() == before


def test_two_of_one_name_are_not_written_to_one_file(
    plain: Chain, album: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "a.png"
    write_png(other, np.zeros((20, 20, 3), np.uint8))
    first, _, refused = run(plain, [album, other], tmp_path / "out", force=True)
    assert read_rgb(first.written).shape == (50, 70, 3)
    assert f"`{other}` and `{album / 'a.png'}` would both be written" in refused.error


def test_arrays_are_answered_as_files_are(
    project: Project, recipe: Recipe, album: Path, tmp_path: Path
) -> None:
    pictures = [read_rgb(path) for path in sorted(album.iterdir())]
    drawn = np.zeros(pictures[0].shape[:2], dtype=bool)
    drawn[20:30, 40:55] = True
    write_png(tmp_path / "masks" / "a.png", drawn)
    chain = Chain.open(project, look="natural")
    outcomes = run(chain, [album], tmp_path / "out", holes=Holes(tmp_path / "masks"))
    gray = luma(pictures[0])
    answers = predict([gray, pictures[1]], project, lost_masks=[drawn, None], look="natural")
    for outcome, answer in zip(outcomes, answers, strict=True):
        assert np.array_equal(read_rgb(outcome.written), answer)
    assert np.ptp(answer, axis=-1).any()


def test_a_hole_without_a_mask_is_located(photograph: np.ndarray) -> None:
    damage = draw_damage(size=(512, 512), seed=3)
    damaged = apply_damage(luma(photograph), damage)
    whole, restored, pixel = predict([photograph, damaged, np.full((1, 1), 7, np.uint8)])
    assert pixel.tolist() == [[[7, 7, 7]]]
    assert np.array_equal(luma(whole), luma(photograph))
    assert (luma(restored) != damaged).sum() > damage.lost_mask().sum() / 2


GRAY = np.zeros((8, 9), np.uint8)


@pytest.mark.parametrize(
    ("pictures", "options", "message"),
    [
        ([GRAY, GRAY / 255], {}, r"`pictures\[1\]` must be uint8"),
        ([GRAY[:0]], {}, "must have a pixel"),
        ([GRAY[..., None]], {}, r"RGB of shape \(H, W, 3\)"),
        ([GRAY], {"lost_masks": []}, "as many as the pictures, 1, but are 0"),
        ([GRAY], {"lost_masks": [GRAY]}, r"`lost_masks\[0\]` must be bool"),
        ([GRAY], {"lost_masks": [GRAY[:4] > 0]}, r"as large as its picture, \(8, 9\)"),
        ([GRAY], {"lost_masks": [GRAY == 0]}, "must leave a pixel"),
        ([GRAY], {"look": "vivid"}, "`vivid` is no look"),
        ([GRAY], {"look": "natural"}, "need a project"),
        ([GRAY], {"full": True}, "need a project"),
        ([GRAY], {"colorizer": "spline"}, "`spline` is no fixed colorizer"),
    ],
)
def test_what_cannot_be_answered_is_said_at_once(pictures, options, message: str) -> None:
    with pytest.raises(EnsembleError, match=message):
        predict(pictures, **options)


def test_a_project_goes_without_a_colorizer(project: Project, recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match="give no colorizer"):
        predict([GRAY], project, colorizer="gray")
