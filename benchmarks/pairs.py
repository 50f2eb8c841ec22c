"""Every pair of verbs on one workspace at the same time, again and again.

    python benchmarks/pairs.py --work WORK [--times 20] [--seconds 600]

One begins at once, the other a random while later. Both must succeed, or one be refused in a line
that names a file, and then succeed when it is run again; what is left must be what they leave one
after the other, in one of the two orders. WORK is best a memory disk, such as /dev/shm/pairs. What
is done is noted in WORK/done.json, and not done again: --seconds ends a run early.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
from collections import Counter
from itertools import combinations_with_replacement
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.crash.forks import Forks
from tests.crash.pairs import PAIRED, Pairs, prepare_state, steps_until_state
from tests.crash.verbs import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1e9)
    options = parser.parse_args()
    begun, noted = time.monotonic(), options.work / "done.json"
    done = json.loads(noted.read_text()) if noted.exists() else {}
    chain = options.work / "chain"
    shutil.rmtree(chain, ignore_errors=True)
    (chain / "said").mkdir(parents=True)
    with Forks(chain / "said") as forks:
        state = prepare_state(prepare(forks, chain, steps_until_state()), chain)
        pairs = Pairs(forks, state, chain)
        for number in range(options.times):
            both = list(combinations_with_replacement(PAIRED, 2))
            random.Random(number).shuffle(both)  # so that one which ends early has met every verb
            for first, second in both:
                key = f"{first}|{second}|{number}"
                if key in done or time.monotonic() - begun > options.seconds:
                    continue
                done[key] = pairs.run_pair(first, second, number)
                noted.write_text(json.dumps(done))
                if done[key][1]:
                    print(f"{first} beside {second}: {done[key][1]}", flush=True)
    counts = Counter(outcome for outcome, _ in done.values())
    wrong = sum(bool(fault) for _, fault in done.values())
    kinds = len({key.rpartition("|")[0] for key in done})
    print(f"{kinds} pairs, {len(done)} runs: {dict(counts)}; {wrong} wrong")


if __name__ == "__main__":
    main()
