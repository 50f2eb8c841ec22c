"""`ens predict`: restore and color any photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ensemble.cli.context import Context
from ensemble.cli.options import Full
from ensemble.errors import ConfigError, list_some
from ensemble.vocabulary import counted

if TYPE_CHECKING:
    from ensemble.submission.predict import Chain, Look, Outcome

NAMED = 20
"""Most files that are named for one reason."""


def predict(
    ctx: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Photographs, or folders of them.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to, one PNG a photograph.")],
    mask: Annotated[
        Path | None,
        typer.Option(help="White where lost: one file, or a folder of files named alike."),
    ] = None,
    no_hole: Annotated[
        bool, typer.Option("--no-hole", help="Locate no hole: what has no mask is whole.")
    ] = False,
    look: Annotated[
        Literal["none", "natural", "score"],
        typer.Option(
            help="none: colors as the networks make them; natural, score: hues moved for the score."
        ),
    ] = "none",
    full: Full = False,
    colorizer: Annotated[
        str | None,
        typer.Option(help="Use nothing trained here: siggraph17, eccv16, or gray for no color."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace pictures in --out.")] = False,
) -> None:
    """Restore and color photographs of any kind and size.

    The workspace's recipe and networks of all folds are used, as by `ens submit`. Without a
    recipe, holes are filled by classical inpainting, and colors are those of a released colorizer
    if its weights are there. A hole is one area of one gray; it is located. Paint other damage
    white on black, and give it as --mask. Hues are not moved, unlike in a submission: that raises
    the score by colors that are wrong.

    Examples:

        ens predict album --out colored

        ens predict torn.jpg --mask torn-mask.png --out colored

        ens predict album --no-hole --out colored
    """
    from ensemble.submission.predict import Holes, list_photographs, predict_files

    context: Context = ctx.obj
    photographs = list_photographs(paths)
    if mask is not None and not mask.is_dir() and len(photographs) != 1:
        raise ConfigError(
            f"--mask `{mask}` is one file, but {len(photographs)} photographs are given; give a "
            "folder of masks, named as their photographs"
        )
    holes, outcomes = Holes(mask, locate=not no_hole), []
    if unused := holes.unused(photographs):
        context.say(f"note: masks that are named as no photograph: {_list(unused)}")
    chain = _open_chain(context, look, full, colorizer)
    with context.progress("predicting photographs", len(photographs)) as advance:
        for outcome in predict_files(chain, photographs, out, holes=holes, force=force):
            outcomes.append(outcome)
            if outcome.error:
                context.say(f"error: {outcome.error}")
            advance(1)
    _conclude(context, out, outcomes)


def _open_chain(context: Context, look: Look, full: bool, colorizer: str | None) -> Chain:
    from ensemble.networks.colorizers.released import cached_weights
    from ensemble.submission.predict import FILLS, Chain

    recipe_file = context.workspace.recipe_file
    if colorizer is None and recipe_file.exists():
        project = context.open_project()
        chain = Chain.open(project, look=look, full=full, progress=context.progress)
        hue = chain.recipe.composition.hue
        hues = "hues are not moved" if hue == "none" else f"hues are moved, look `{hue}`"
        context.say(f"recipe: {recipe_file}, {len(chain.sources)} folds; {hues}")
        return chain
    if full or look != "none":
        flag = "--full" if full else f"--look {look}"
        raise ConfigError(
            f"{flag} needs networks of your own and `{recipe_file}`, without --colorizer"
        )
    chosen = colorizer or ("siggraph17" if cached_weights("siggraph17").exists() else "gray")
    why = f"no recipe in {recipe_file}" if colorizer is None else f"--colorizer {colorizer}"
    chain = Chain.without_training(chosen, size=context.config.data.size)
    context.say(
        f"{why}: nothing that was trained here is used; holes are filled by {' and '.join(FILLS)}"
    )
    if chosen != "gray":
        context.say(f"colors: the released {chosen}")
    else:
        more = "" if colorizer else "; `--colorizer siggraph17` colors by released weights"
        context.say(f"colors: none, pictures stay gray{more}")
    return chain


def _conclude(context: Context, out: Path, outcomes: list[Outcome]) -> None:
    """Say what became of the photographs; end with status 2 if any has failed."""
    written = [one for one in outcomes if one.written]
    failed = sum(1 for one in outcomes if one.error)
    passed = len(outcomes) - len(written) - failed
    counts = {hole: sum(one.hole == hole for one in written) for hole in ("mask", "none")}
    located = len(written) - sum(counts.values())
    context.say(
        f"wrote {counted(len(written), 'picture')} to {out}: {located} with a located hole, "
        f"{counts['mask']} with a mask, {counts['none']} without a hole"
    )
    doubtful = [one.photograph for one in written if one.hole == "doubtful"]
    if doubtful:
        context.say(f"look at {_list(doubtful)}: the hole is doubtful; give a --mask, or --no-hole")
    if passed:
        context.say(f"passed over {passed} that are in {out} already; --force makes them anew")
    if failed:
        context.say(f"{failed} of {len(outcomes)} photographs failed")
        raise typer.Exit(2)


def _list(paths: list[Path]) -> str:
    return list_some([str(path) for path in paths], NAMED)
