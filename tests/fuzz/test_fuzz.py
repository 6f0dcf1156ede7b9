"""Whatever is read is read or refused in words: a moment of fuzzing, and what failed once."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.loop import Findings, fuzz, kept_inputs, tried
from tests.fuzz.targets import TARGETS

SECONDS = float(os.environ.get("RERANK_LAB_FUZZ_SECONDS", "2.5"))
"""For each target; the other fuzz tests of the suite make it about a minute in all."""


@pytest.mark.parametrize("name", TARGETS)
def test_what_failed_once_is_read_or_refused(name: str) -> None:
    findings = Findings()
    for data in kept_inputs(TARGETS[name]):
        tried(TARGETS[name], data, findings)
    assert not findings.defects


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_are_read_or_refused(name: str) -> None:
    findings = Findings()
    fuzz(TARGETS[name], SECONDS, name, findings)
    assert not findings.defects
    assert findings.tries > 1
