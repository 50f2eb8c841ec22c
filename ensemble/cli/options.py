"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.cli.complete import complete_folds, complete_member, complete_submission
from ensemble.cli.context import ends_in
from ensemble.vocabulary import Stage

OnlyStage = Annotated[Stage | None, typer.Option(help="Only this stage.")]
OnlyMember = Annotated[
    str | None, typer.Option(help="Only this member.", autocompletion=complete_member)
]
Folds = Annotated[
    str, typer.Option(help="0, or 0,2, or 0..4, or all.", autocompletion=complete_folds)
]
Submission = Annotated[
    str, typer.Argument(help="A zip, or a submission's name.", autocompletion=complete_submission)
]
Full = Annotated[
    bool, typer.Option("--full", help="Average the networks of `train --fold full` in.")
]
Png = Annotated[Path | None, typer.Option(help="PNG to write.", callback=ends_in(".png"))]
Html = Annotated[Path | None, typer.Option(help="HTML file to write.", callback=ends_in(".html"))]
