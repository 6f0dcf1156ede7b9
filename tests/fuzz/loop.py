"""The loop that every fuzzing run is: change an input, run the target, keep what is new or bad."""

from __future__ import annotations

import hashlib
import math
import random
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import Target, check

CORPUS = Path(__file__).parent / "corpus"
"""Inputs that were defects once, by target. A file's name is the start of its SHA-256."""
SLOWEST_S = 20
"""An input that takes more time of the processor is a defect."""
_MOST_PER_OUTCOME = 4


@dataclass(slots=True)
class Findings:
    """What a run came to. `outcomes` counts inputs by what the lab said to them."""

    tries: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    defects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """Where it was raised -> the first such input, and its traceback."""


def kept_inputs(target: Target) -> list[bytes]:
    """The inputs that were defects of this target once."""
    return [path.read_bytes() for path in sorted((CORPUS / target.name).glob("*"))]


def keep(target: Target, data: bytes) -> Path:
    """Put an input where every later run tries it first."""
    path = CORPUS / target.name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def fuzz(target: Target, seconds: float, seed: int | str, findings: Findings) -> None:
    """Try changed inputs for so long. An input with a new outcome is changed further."""
    chance, end = random.Random(seed), math.inf
    for data in _inputs(target, chance, findings):
        outcome = tried(target, data, findings)
        findings.tries += 1
        findings.outcomes[outcome] = findings.outcomes.get(outcome, 0) + 1
        if math.isinf(end):  # behind what is imported or made for the first one only
            end = time.monotonic() + seconds
        elif time.monotonic() > end:
            return


def tried(target: Target, data: bytes, findings: Findings) -> str:
    """The outcome of one input; a defect is noted once for each place that raises it."""
    try:
        before = signal.signal(signal.SIGPROF, _too_slow)
        signal.setitimer(signal.ITIMER_PROF, SLOWEST_S)
        try:
            return check(target, data)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "rerank_lab" in frame.filename] or list(frames)
        place = f"{type(error).__name__} in {Path(own[-1].filename).name}:{own[-1].lineno}"
        findings.defects.setdefault(place, (data, traceback.format_exc()))
        return f"defect {place}"


def _inputs(target: Target, chance: random.Random, findings: Findings) -> Iterator[bytes]:
    pool = [*target.seeds(), *kept_inputs(target)]
    yield from pool
    while True:
        data, before = mutated(chance, pool, target.pieces), dict(findings.outcomes)
        yield data
        for outcome, count in findings.outcomes.items():
            if before.get(outcome) != count and count <= _MOST_PER_OUTCOME:
                pool.append(data)


def _too_slow(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError(f"the input took more than {SLOWEST_S} s of the processor")
