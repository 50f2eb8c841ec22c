"""Photographs of any kind: what `ens submit` does to a test photograph, done to each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb, check_gray, check_mask, check_rgb, luma
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.config import Config
from ensemble.damage.locate import locate_hole
from ensemble.data.picture import list_pictures, read_drawn_mask, read_picture
from ensemble.data.png import write_png
from ensemble.errors import ArrayError, ConfigError, DataError, EnsembleError, unknown_name
from ensemble.files import sweep
from ensemble.inference.fixed import COLORIZERS
from ensemble.oof.priors import Priors, read_recipe_priors
from ensemble.parallel import Progress, silent
from ensemble.project import Project
from ensemble.provenance import blended_members, read_recipe
from ensemble.submission.chain import (
    Batch,
    FoldSource,
    StageSource,
    TestAnswer,
    blend_fold,
    finish,
    recipe_folds,
)
from ensemble.submission.frame import Frame

Look = Literal["none", "natural", "score"]
Hole = Literal["mask", "located", "doubtful", "none"]
"""Where a hole was drawn by hand, was located, was located but should be looked at, or is none."""

FILLS = ("spline", "telea")
"""The restorers without training, as smooth as the eye likes them: a mean, no minimum risk."""

LEAST_CONFIDENCE = 0.5
"""Of a located hole. The locator always proposes a region; in a whole photograph with less."""

LEAST_SIDE = 8
"""Of a picture in which a hole can be located."""


@dataclass(frozen=True, eq=False)
class Chain:
    """All that answers a photograph, in memory: a recipe, and what predicts, fold by fold.

    The hue priors are empty where no hue is moved; the networks have learned from squares of `size`
    pixels a side.
    """

    recipe: Recipe
    priors: Priors
    sources: Sequence[FoldSource]
    size: int

    @classmethod
    def open(
        cls, project: Project, *, look: Look, full: bool = False, progress: Progress = silent
    ) -> Chain:
        """The chain of a project's recipe, as `ens submit` opens it.

        The look `none` leaves the colors as the networks make them; `natural` moves hues in that
        way where the recipe moves them; `score` composes as the recipe says. If `full`, the
        networks of all photographs are averaged in, as those of one more fold.

        Raises:
            ConfigError: The recipe blends predictions that were made elsewhere.
            MissingArtefactError: There is no recipe, or a checkpoint or the priors are missing.
            StaleArtefactError: One of them was made from something else.
        """
        recipe = read_recipe(project)
        for member in blended_members(project, recipe):
            if member.kind == "external":
                raise ConfigError(
                    f"the recipe blends `{member.name}`, which was made elsewhere and cannot "
                    "predict other photographs; take it out of ens.toml and run `ens blend` again"
                )
        changed: dict[str, Any] = {"composition": choose_look(recipe.composition, look)}
        if look != "score":  # minimum risk may leave streaks along the rows
            changed["restoration"] = recipe.restoration.model_copy(update={"decode": "mean"})
        recipe = recipe.model_copy(update=changed)
        folds, sources = recipe_folds(recipe, full=full), []
        with progress("loading networks, by folds", len(folds)) as advance:
            for fold in folds:
                sources.append(FoldSource.open(project, recipe, fold))
                advance(1)
        return cls(recipe, read_recipe_priors(project, recipe), sources, project.config.data.size)

    @classmethod
    def without_training(cls, colorizer: str, *, size: int) -> Chain:
        """The chain of classical inpainting and a fixed colorizer; it needs no project.

        The colorizer, a released one or `gray` for no color, is shown squares of this size.

        Raises:
            ConfigError: There is no such colorizer.
            WeightsError: Its weights cannot be had.
        """
        if colorizer not in COLORIZERS:
            raise ConfigError(unknown_name("fixed colorizer", colorizer, COLORIZERS))
        recipe = Recipe(
            restoration=StageRecipe.plain_mean(list(FILLS), views=("identity",)),
            colorization=StageRecipe.single(colorizer),
            composition=choose_look(Composition(), "none"),
            folds=(0,),
            made_from={},
        )
        source = FoldSource(
            StageSource.fixed("restoration", recipe.restoration),
            StageSource.fixed("colorization", recipe.colorization),
        )
        return cls(recipe, Priors(), [source], size)

    def answer(self, name: str, damaged: Gray, lost_mask: Mask) -> TestAnswer:
        """Answer one photograph.

        Restoration works on the photograph's own pixels, and its luma stays at its own size;
        colors are predicted at the size the networks know, and enlarged. `lost_mask` is all False
        where nothing is lost.
        """
        frame = Frame(damaged, lost_mask, self.size)
        batch = Batch.of([name], [frame])
        blends = (next(blend_fold(self.recipe, source, batch)) for source in self.sources)
        return finish(self.recipe, self.priors, name, frame, reduce(add, blends))


def choose_look(options: Composition, look: Look) -> Composition:
    """The options of a recipe, for a person to look at.

    The luma is locked whatever the recipe says: colors are predicted at another size. Pixels that
    are recolored for the score's data range are left out, but for the look `score`.
    """
    if look == "score":
        return options.model_copy(update={"luma_lock": True})
    hue = "none" if "none" in (look, options.hue) else "natural"
    return options.model_copy(update={"luma_lock": True, "data_range": "as-is", "hue": hue})


@dataclass(frozen=True)
class Holes:
    """Where holes come from: a mask of the one photograph, or a folder of masks so named.

    The hole of a photograph without a mask is located, or there is none.
    """

    masks: Path | None = None
    locate: bool = True

    def find(self, photograph: Path, damaged: Gray) -> tuple[Mask, Hole]:
        """The lost pixels of a photograph, (H, W) bool, and where they come from.

        Raises:
            DataError: Its mask cannot be read, is of another size, or marks nothing.
        """
        drawn = self.masks
        if drawn is not None and drawn.is_dir():
            drawn = self._by_stem.get(photograph.stem)
        if drawn is not None:
            return read_drawn_mask(drawn, damaged.shape), "mask"
        if not self.locate:
            return np.zeros(damaged.shape, dtype=np.bool_), "none"
        return find_hole(damaged)

    def unused(self, photographs: Sequence[Path]) -> list[Path]:
        """The masks of a folder that are named as none of these photographs.

        Raises:
            DataError: Two masks are of the same photograph, or the folder has none.
        """
        if self.masks is None or not self.masks.is_dir():
            return []
        stems = {path.stem for path in photographs}
        return [path for stem, path in self._by_stem.items() if stem not in stems]

    @cached_property
    def _by_stem(self) -> dict[str, Path]:
        assert self.masks is not None
        found: dict[str, Path] = {}
        for path in list_pictures(self.masks):
            other = found.setdefault(path.stem, path)
            if other != path:
                raise DataError(
                    f"a photograph has one mask, but `{other}` and `{path}` are of the same; "
                    "remove one"
                )
        return found


def find_hole(damaged: Gray) -> tuple[Mask, Hole]:
    """The lost pixels of a picture that may be whole, (H, W) bool, and what they are."""
    if min(damaged.shape) >= LEAST_SIDE:
        found = locate_hole(damaged)
        if found.confidence >= LEAST_CONFIDENCE:
            return found.lost_mask, "doubtful" if found.doubtful else "located"
    return np.zeros(damaged.shape, dtype=np.bool_), "none"


def predict(
    pictures: Sequence[NDArray[Any]],
    project: Project | None = None,
    *,
    lost_masks: Sequence[Mask | None] | None = None,
    look: Look = "none",
    full: bool = False,
    colorizer: str | None = None,
) -> Iterator[Rgb]:
    """Restore and color pictures of any size, as `ens predict` does.

    Arguments are checked and networks are loaded at once; a picture is answered when the iterator
    comes to it.

    Args:
        pictures: Each uint8, 0 to 255: gray (H, W), or RGB (H, W, 3), of which the luma counts.
        project: Whose recipe and networks of all folds answer. None: nothing trained; holes are
            filled by the mean of `spline` and `telea`.
        lost_masks: For each picture (H, W) bool, True where it is lost and nowhere where it is
            whole; or None, and its hole is located. By default all are located: a hole is an area
            of one gray; where none is found, or a side is under 8 px, the picture counts as whole.
        look: `none` leaves colors as the networks make them. `natural` and `score` move hues where
            the recipe does, which raises the score by colors that are wrong.
        full: Average the project's networks of `ens train --fold full` in.
        colorizer: Without a project: `siggraph17` or `eccv16`, whose released weights are
            downloaded once, or `gray` (the default) for no color.

    Returns:
        For each picture (H, W, 3) uint8, 0 to 255. Its luma is that of the picture where nothing
        is lost, in each pixel; but `score` may recolor single pixels, for the data range.

    Raises:
        ArrayError: A picture or a mask has another shape or dtype; a picture has no pixel, a mask
            leaves none, or the masks are not as many as the pictures.
        ConfigError: There is no such look or colorizer; an option is given with a project that
            goes without one, or the other way round; or the recipe blends predictions that were
            made elsewhere.
        MissingArtefactError: There is no recipe, or a checkpoint or the priors are missing.
        StaleArtefactError: One of them was made from something else.
        WeightsError: The weights of a released colorizer cannot be had.

    >>> from ensemble.damage.draw import apply_damage, draw_damage
    >>> whole = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)
    >>> damage = draw_damage(size=whole.shape, seed=0)
    >>> lost_mask = damage.lost_mask()
    >>> [answer] = predict([apply_damage(whole, damage)], lost_masks=[lost_mask])
    >>> answer.shape, answer.dtype
    ((96, 128, 3), dtype('uint8'))
    >>> np.array_equal(luma(answer)[~lost_mask], whole[~lost_mask])
    True
    """
    if look not in get_args(Look):
        raise ConfigError(unknown_name("look", look, get_args(Look)))
    masks = [None] * len(pictures) if lost_masks is None else lost_masks
    if len(masks) != len(pictures):
        raise ArrayError(
            f"lost_masks must be as many as the pictures, {len(pictures)}, but are {len(masks)}; "
            "give None for a hole to locate"
        )
    pairs = [_check_pair(*one) for one in zip(pictures, masks, range(len(masks)), strict=True)]
    if project is None:
        if full or look != "none":
            raise ConfigError("full, and a look other than `none`, need a project and its recipe")
        chain = Chain.without_training(colorizer or "gray", size=Config().data.size)
    elif colorizer is not None:
        raise ConfigError(
            f"a project's recipe says what colors; give no colorizer (`{colorizer}`), or no project"
        )
    else:
        chain = Chain.open(project, look=look, full=full)
    return (
        chain.answer(
            f"pictures[{index}]", gray, find_hole(gray)[0] if lost_mask is None else lost_mask
        ).picture
        for index, (gray, lost_mask) in enumerate(pairs)
    )


def _check_pair(
    picture: NDArray[Any], lost_mask: Mask | None, index: int
) -> tuple[Gray, Mask | None]:
    name = f"pictures[{index}]"
    gray = (
        check_gray(picture, name=name) if picture.ndim == 2 else luma(check_rgb(picture, name=name))
    )
    if gray.size == 0:
        raise ArrayError(f"`{name}` must have a pixel, but has the shape {picture.shape}")
    if lost_mask is not None:
        lost_mask = check_mask(lost_mask, shape=gray.shape, name=f"lost_masks[{index}]")
        if lost_mask.all():
            raise ArrayError(f"`lost_masks[{index}]` must leave a pixel, but marks all of them")
    return gray, lost_mask


class Outcome(NamedTuple):
    """What became of one photograph.

    `written` is None where there is an error, or where the answer was there already; `hole` is None
    where the photograph was not read.
    """

    photograph: Path
    written: Path | None = None
    hole: Hole | None = None
    error: str = ""


def list_photographs(paths: Sequence[Path]) -> list[Path]:
    """The photographs that some files and folders name, each once, in their order.

    Raises:
        DataError: A folder has no pictures.
    """
    found = [file for path in paths for file in (list_pictures(path) if path.is_dir() else [path])]
    return list({file.absolute(): file for file in found}.values())


def predict_files(
    chain: Chain, photographs: Sequence[Path], out: Path, *, holes: Holes, force: bool
) -> Iterator[Outcome]:
    """Answer each photograph, and write it as a PNG of the same name.

    A photograph that cannot be answered stops no other. Each is written whole or not at all. One
    whose picture is in the folder `out` already is passed over, unless forced.
    """
    sweep(out)  # nothing is written where every picture is there
    sources = {path.resolve() for path in photographs}
    taken: dict[Path, Path] = {}
    for photograph in photographs:
        target = out / f"{photograph.stem}.png"
        try:
            if target.resolve() in sources:
                raise DataError(f"`{target}` is a photograph to predict; give another --out")
            other = taken.setdefault(target, photograph)
            if other != photograph:
                raise DataError(
                    f"`{photograph}` and `{other}` would both be written to `{target}`; rename "
                    "one, or give them another --out"
                )
            if target.exists() and not force:
                yield Outcome(photograph)
                continue
            damaged = read_picture(photograph)
            lost_mask, hole = holes.find(photograph, damaged)
            write_png(target, chain.answer(str(photograph), damaged, lost_mask).picture)
            yield Outcome(photograph, target, hole)
        except EnsembleError as error:
            yield Outcome(photograph, error=str(error))
