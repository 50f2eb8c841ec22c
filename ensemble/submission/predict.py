"""Photographs of any kind: what `ens submit` does to a test photograph, done to each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from pathlib import Path
from typing import Literal

import numpy as np

from ensemble.arrays import Gray, Mask
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.damage.locate import locate_hole
from ensemble.data.picture import list_pictures, read_drawn_mask, read_picture
from ensemble.data.png import write_png
from ensemble.errors import ConfigError, DataError, EnsembleError
from ensemble.oof.priors import Priors, read_recipe_priors
from ensemble.parallel import Progress, silent
from ensemble.project import Project
from ensemble.provenance import read_recipe
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
from ensemble.vocabulary import STAGES

Look = Literal["none", "natural", "score"]
Hole = Literal["mask", "located", "doubtful", "none"]
"""Where a hole was drawn by hand, was located, was located but should be looked at, or is none."""

FILLS = ("spline", "telea")
"""The restorers without training: those of `ens init --preset training-free`."""

LEAST_CONFIDENCE = 0.5
"""Of a located hole. The locator always proposes a region; in a whole photograph with less."""

LEAST_SIDE = 8
"""Of a picture in which a hole can be located."""


@dataclass(frozen=True, eq=False)
class Chain:
    """All that answers a photograph, in memory: the networks of all folds.

    Attributes:
        recipe: Weights, views and options.
        priors: The hue prior of each fold; empty where no hue is moved.
        sources: What predicts, fold by fold.
        size: Side in pixels of the squares that the networks have learned from.
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

        Args:
            project: Its recipe, priors and checkpoints.
            look: `none` leaves the colors as the networks make them; `natural` moves hues in that
                way where the recipe moves them; `score` composes as the recipe says.
            full: Average the networks of all photographs in, as those of one more fold.
            progress: Opens a bar over the folds.

        Raises:
            ConfigError: The recipe blends predictions that were made elsewhere.
            MissingArtefactError: There is no recipe, or a checkpoint or the priors are missing.
            StaleArtefactError: One of them was made from something else.
        """
        recipe = read_recipe(project)
        for stage in STAGES:
            for name in getattr(recipe, stage).weights:
                if project.member(stage, name).kind == "external":
                    raise ConfigError(
                        f"the recipe blends `{name}`, which was made elsewhere and cannot predict "
                        "other photographs; take it out of ens.toml and run `ens blend` again"
                    )
        options = choose_look(recipe.composition, look)
        recipe = recipe.model_copy(update={"composition": options})
        folds, sources = recipe_folds(recipe, full=full), []
        with progress("loading networks, by folds", len(folds)) as advance:
            for fold in folds:
                sources.append(FoldSource.open(project, recipe, fold))
                advance(1)
        return cls(recipe, read_recipe_priors(project, recipe), sources, project.config.data.size)

    @classmethod
    def without_training(cls, colorizer: str, *, size: int) -> Chain:
        """The chain of classical inpainting and a fixed colorizer; it needs no project.

        Args:
            colorizer: A fixed member of colorization: a released one, or `gray` for no color.
            size: Side of the squares that the colorizer is shown.

        Raises:
            ConfigError: There is no such colorizer.
            WeightsError: Its weights cannot be had.
        """
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
        return cls(recipe, {}, [source], size)

    def answer(self, name: str, damaged: Gray, lost_mask: Mask) -> TestAnswer:
        """Answer one photograph.

        Restoration works on the photograph's own pixels, and its luma stays at its own size;
        colors are predicted at the size the networks know, and enlarged.

        Args:
            name: What to call it.
            damaged: (H, W) uint8, of any size.
            lost_mask: (H, W) bool; all False where nothing is lost.
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
    """Where holes come from.

    Attributes:
        masks: The mask of the one photograph, or a folder of masks named as their photographs;
            None where there are none.
        locate: Whether the hole of a photograph without a mask is located, or there is none.
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
        nothing = np.zeros(damaged.shape, dtype=np.bool_)
        if not self.locate or min(damaged.shape) < LEAST_SIDE:
            return nothing, "none"
        found = locate_hole(damaged)
        if found.confidence < LEAST_CONFIDENCE:
            return nothing, "none"
        return found.lost_mask, "doubtful" if found.doubtful else "located"

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


@dataclass(frozen=True)
class Outcome:
    """What became of one photograph.

    Attributes:
        photograph: Its file.
        written: Its answer; None where there is an error, or where it was there already.
        hole: Where its hole comes from; None where it was not read.
        error: Why there is no answer; empty where there is one.
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

    A photograph that cannot be answered stops no other. Each is written whole or not at all.

    Args:
        chain: What answers.
        photographs: Their files.
        out: The folder to write to.
        holes: Where holes come from.
        force: Replace a picture that is there; else its photograph is passed over.
    """
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
