"""The command `ens`: one verb, one file."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run `ens`; until its modules are there, Ctrl-C ends it as a signal does, without a word."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _know_more_than_ascii()
    from ensemble.cli.app import main as run

    run()


def _know_more_than_ascii() -> None:
    """Begin again in Python's UTF-8 mode where it was told to take file names for ASCII.

    Python itself chooses that mode for the locale C, unless PYTHONUTF8 forbids it. No file could
    have a Korean name without.
    """
    if sys.getfilesystemencoding() == "ascii" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
