from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass

import pytest

from rerank_lab.core.context import Context
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import JobTable
from tests.named_key import NamedKey


@dataclass(frozen=True, slots=True)
class _OtherKey(JobKey):
    name: str


@dataclass(frozen=True, slots=True)
class _PairKey(JobKey):
    first: str
    second: str


def test_keys_are_equal_when_kind_and_all_fields_are() -> None:
    assert NamedKey("a") == NamedKey("a")
    assert hash(NamedKey("a")) == hash(NamedKey("a"))
    assert NamedKey("a") != NamedKey("b")
    assert NamedKey("a") != _OtherKey("a")


def test_no_text_in_a_field_makes_two_keys_one() -> None:
    # Glued with a separator, both were "a\x00b\x00c".
    assert _PairKey("a\x00b", "c") != _PairKey("a", "b\x00c")
    assert _PairKey("a\x00b", "c").digest != _PairKey("a", "b\x00c").digest


def test_a_digest_is_short_and_stable_whatever_the_text() -> None:
    assert NamedKey("half a surrogate \ud83d").digest == NamedKey("half a surrogate \ud83d").digest
    assert len(NamedKey("x" * 10_000).digest) == 10


def test_a_key_does_not_change() -> None:
    with pytest.raises((FrozenInstanceError, TypeError)):
        NamedKey("a").name = "b"  # type: ignore[misc]


def test_the_table_lists_the_jobs_of_one_kind() -> None:
    table = JobTable()

    def work(_: Context) -> int:
        return 1

    jobs = [table.submit(key, work) for key in (NamedKey("a"), _OtherKey("a"), NamedKey("b"))]
    assert table.jobs(NamedKey) == [jobs[0], jobs[2]]
    assert table.jobs(NamedKey, lambda key: key.name == "b") == [jobs[2]]
    assert table.jobs() == jobs
