"""Signals at random times: nothing may be lost, and nothing but a line said.

    python benchmarks/odd_places.py --work W [--signals 60]

In W a small demo is blended and submitted. Then `ens blend`, `ens submit` and `ens report` are sent
SIGINT, SIGTERM and SIGKILL at random times, from their start on; each is run again undisturbed at
the end, and the artefacts have to be those of before, byte by byte.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ENS = [sys.executable, "-c", "from ensemble.cli import main; main()"]
VERBS = {
    "blend": ["blend", "--trials", "3"],
    "submit": ["submit", "--force"],
    "report": ["report", "--photographs", "2"],
}
SENT = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
FILES = ("folds.csv", "oof/recipe.json", "oof/scores.json", "oof/priors.safetensors")
FILES += ("submissions/submission.zip",)


def run(root: Path, *arguments: str) -> None:
    """Run a verb to its end."""
    subprocess.run([*ENS, "--root", str(root), *arguments], check=True, stdout=subprocess.DEVNULL)


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of what must not change."""
    return {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in FILES}


def disturb(root: Path, arguments: list[str], sent: signal.Signals, delay: float) -> str:
    """How a verb ended that was sent a signal."""
    process = subprocess.Popen(
        [*ENS, "--root", str(root), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    time.sleep(delay)
    process.send_signal(sent)
    _, error = process.communicate()
    ours = "ensemble" in error  # Python's own start is interrupted by a traceback, too
    told = "a traceback of ours" if "Traceback" in error and ours else "no traceback of ours"
    return f"{sent.name}: status {process.returncode}, {told}"


def main() -> None:
    """Rehearse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--signals", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    root, draw = given.work, random.Random(given.seed)
    run(root, "init", "--preset", "training-free")
    settings = root / "ens.toml"
    text = (
        settings.read_text()
        .replace("size = 512", "size = 64")
        .replace("n_folds = 5", "n_folds = 2")
    )
    settings.write_text(text)
    run(root, "demo", "--size", "64", "--train", "12", "--test", "3")
    run(root, "folds")
    lasted = {}
    for name, arguments in VERBS.items():
        run(root, *[a for a in arguments if a != "--force"])
        begun = time.monotonic()
        run(root, *arguments)
        lasted[name] = time.monotonic() - begun
    before, ends = digests(root), Counter()
    for number in range(given.signals):
        name = draw.choice(list(VERBS))
        sent = SENT[number % len(SENT)]
        ends[disturb(root, VERBS[name], sent, draw.uniform(0, 1.1 * lasted[name]))] += 1
    for arguments in VERBS.values():
        run(root, *arguments)
    for end, count in sorted(ends.items()):
        print(f"{count:4} {end}")
    changed = [name for name, digest in digests(root).items() if digest != before[name]]
    print(f"changed: {', '.join(changed) or 'nothing'}")


if __name__ == "__main__":
    main()
