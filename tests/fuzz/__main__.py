"""`python -m tests.fuzz --minutes 60 [--targets runs,specs] [--seed 1] [--keep]`.

Prints each defect once, with its input; `--keep` puts the inputs where `test_fuzz.py` tries them.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import sys
import time
import warnings

from tests.fuzz.loop import Findings, fuzz, keep
from tests.fuzz.targets import TARGETS

_SLICE_S = 20.0
_MEMORY = 8 << 30


def main() -> int:
    """Fuzz the targets in turns; the exit status is 1 when there was a defect."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    chosen = [TARGETS[name] for name in given.targets.split(",")]
    findings = {target.name: Findings() for target in chosen}
    end, turn = time.monotonic() + 60 * given.minutes, 0
    seconds = min(_SLICE_S, 60 * given.minutes / len(chosen))
    while time.monotonic() < end:
        target = chosen[turn % len(chosen)]
        known = set(findings[target.name].defects)
        fuzz(target, seconds, f"{given.seed}-{turn}", findings[target.name])
        for place in sorted(findings[target.name].defects.keys() - known):
            data, trace = findings[target.name].defects[place]
            path = keep(target, data) if given.keep else ""
            printable = trace.encode("ascii", "backslashreplace").decode()
            print(f"DEFECT {target.name}: {place} {path}\n{data[:300]!r}\n{printable}", flush=True)  # noqa: T201
        turn += 1
    for name, found in findings.items():
        summary = {
            "tries": found.tries,
            "outcomes": len(found.outcomes),
            "defects": len(found.defects),
        }
        print(name, json.dumps(summary))  # noqa: T201
    return int(any(found.defects for found in findings.values()))


if __name__ == "__main__":
    sys.exit(main())
