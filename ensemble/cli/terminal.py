"""Where verbs print, whatever it is: a terminal, a file, or a pipe that nobody reads any more."""

from __future__ import annotations

import io
import os
import shutil
import sys

from rich.console import Console


class Terminal(Console):
    """A console that goes on where its reader has left: the work is done all the same."""

    def on_broken_pipe(self) -> None:
        """Print no more, nor what Python would print at its end."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def open_terminal() -> Terminal:
    """The console of this process; a dumb terminal is as wide as it says, too."""
    terminal = Terminal()
    if terminal.is_dumb_terminal:
        terminal.size = shutil.get_terminal_size((80, 25))
    return terminal


def print_anything() -> None:
    """Show by its escape what the encoding of the output does not have, such as Korean in ASCII."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
