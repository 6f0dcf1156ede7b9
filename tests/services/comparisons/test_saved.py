"""A comparison is kept as it was, without keys; a file that anybody wrote is checked in full."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.context import Response
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, MissingKey
from rerank_lab.core.spec import parse
from rerank_lab.core.storage import MEMORY
from rerank_lab.core.types import Ranking, Trace
from rerank_lab.remote.recordings import Recording
from rerank_lab.services import comparisons as saved
from rerank_lab.services.comparisons import Comparison, store
from rerank_lab.services.comparisons.records import to_bytes
from rerank_lab.views.saved import comparison
from rerank_lab.views.topic import Topic
from tests.views import made
from tests.views.made import outcome_of

SECRET = "sk-0123456789abcdef"
ORDER = made.ids(3, 1, 2)
TRACE = Trace(
    network_s=0.2, calls=2, cost=0.01, cost_unit="USD", warnings=("cut",), counts={"answers": 2.0}
)


def recording(body: str = '{"scores": [1]}') -> Recording:
    found = Recording(MEMORY)
    found.record("a" * 64, "cohere", Response(200, {"content-type": "application/json"}, body))
    return found


def kept(title: str = "", **more: Any) -> Comparison:
    corpus = made.corpus()
    fused = "rrf(bm25,bm25(b=0.1)) >> identity(top=2)"
    outcomes = [
        outcome_of("bm25", made.result("bm25", [ORDER])),
        outcome_of(
            fused, made.result(fused, [ORDER, Ranking.from_order("q1", ORDER)], [TRACE] * 2)
        ),
        outcome_of("bm25 >> identity", made.failed("bm25 >> identity", ORDER)),
        outcome_of("bm25 >> cohere", error=MissingKey("No key.", hint="Set one.")),
    ]
    now = datetime(2026, 11, 24, 15, 40, tzinfo=UTC)
    question = Topic(made.QUERY, corpus)
    found = comparison(question, outcomes, 50, 10, more.get("recordings", [recording()]), now)
    return replace(found, header=replace(found.header, title=title)) if title else found


def told(error: LabError | None) -> tuple[Any, ...]:
    return (type(error), error.message, error.hint, error.details) if error else ()


def lines_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode().splitlines()]


def bytes_of(lines: list[Any]) -> bytes:
    return "\n".join(json.dumps(line) for line in lines).encode()


def test_what_is_read_is_what_was_kept(home: Path) -> None:
    before = kept()
    after = saved.load(saved.keep(before))
    assert after.header == before.header
    assert after.recording == before.recording
    for one, other in zip(after.columns, before.columns, strict=True):
        assert one.pipeline == other.pipeline
        assert told(one.error) == told(other.error)
        if one.result is None or other.result is None:
            assert one.result is other.result is None
            continue
        assert one.result.ranking == other.result.ranking
        assert told(one.result.error) == told(other.result.error)
        assert [s.trace for s in one.result.stages] == [s.trace for s in other.result.stages]
        assert [s.node for s in one.result.stages] == [s.node for s in other.result.stages]
        assert one.result.status is other.result.status
    assert isinstance(after.columns[2].result.error, BackendError)  # type: ignore[union-attr]


def test_a_key_is_nowhere_in_the_file_wherever_it_got_in(home: Path) -> None:
    before = kept(f"title {SECRET}", recordings=[recording(json.dumps({"echo": SECRET}))])
    bad = MissingKey(f"refused {SECRET}", hint=SECRET, details=SECRET)
    columns = (*before.columns[:-1], replace(before.columns[-1], error=bad))
    data = to_bytes(replace(before, columns=columns), [SECRET, "bm25"])
    assert SECRET.encode() not in data
    assert b"[key removed]" in data
    after = saved.comparison_of(data)
    assert after.header.pipelines == before.header.pipelines
    with Recording(MEMORY) as again:
        again.add_lines(after.recording)
        answer = again.play("a" * 64)
    assert answer is not None
    assert json.loads(answer.body) == {"echo": "[key removed]"}


def test_keys_of_the_session_and_of_the_environment_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_OWN_KEY", "own-environment-key")
    monkeypatch.setenv("COHERE_API_KEY", "cohere-environment-key")
    spec = 'bm25 >> listwise(base_url="https://x.example",key_variable="MY_OWN_KEY")'
    found = saved.known_secrets({"VOYAGE_API_KEY": " typed-key "}, [parse(spec)])
    assert {"typed-key", "own-environment-key", "cohere-environment-key"} <= set(found)


def test_the_list_names_rename_and_delete(home: Path) -> None:
    first, second = saved.keep(kept("One")), saved.keep(kept("Two"))
    (store.folder() / "0123456789abcdef.jsonl").write_text("{")
    (store.folder() / "notes.jsonl").write_text("{}")
    assert {entry.header.title for entry in saved.list_saved()} == {"One", "Two"}
    saved.rename(first, "  Another\n name ")
    assert saved.load(first).header.title == "Another name"
    assert saved.load(first).columns[0].result is not None
    with pytest.raises(InvalidInput, match="needs a name"):
        saved.rename(first, " ")
    saved.delete(second)
    saved.delete(second)
    assert [entry.id for entry in saved.list_saved()] == [first]
    assert list(store.folder().glob("*.part")) == []


@pytest.mark.parametrize("name", ["../x", "..", "", "a" * 16 + "/", "ABCDEF0123456789", "x" * 999])
def test_no_id_leads_out_of_the_folder(home: Path, name: str) -> None:
    assert saved.find(name) is None
    for act in (saved.load, saved.delete, saved.read):
        with pytest.raises(InvalidInput, match="no such saved comparison"):
            act(name)


def test_a_file_from_elsewhere_is_taken_in_once(home: Path) -> None:
    data = to_bytes(kept())
    assert saved.add(data) == saved.add(data)
    assert len(saved.list_saved()) == 1


def changed(line: int, path: str, value: Any) -> bytes:
    """The file with one field of one line replaced; `a.0.b` walks down."""
    lines = lines_of(to_bytes(kept()))
    at: Any = lines[line]
    *down, last = path.split(".")
    for step in down:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[int(last) if isinstance(at, list) else last] = value
    return bytes_of(lines)


DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
HOSTILE = {
    "empty": b"",
    "zip": b"PK\x03\x04" + bytes(range(256)) * 40,
    "not utf-8": b"\xff\xfe\x00",
    "a list": b"[1, 2]",
    "deep": DEEP.encode(),
    "huge": b" " * (saved.MAX_BYTES + 1),
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00cos\nsystem\n",
    "other format": changed(0, "format", "rerank-lab-comparison-9"),
    "hash": changed(0, "corpus.content_hash", "../../etc/passwd"),
    "date": changed(0, "created_at", "yesterday"),
    "title": changed(0, "title", ["x"]),
    "long title": changed(0, "title", "x" * 5000),
    "no pipelines": changed(0, "pipelines", []),
    "same pipelines": changed(0, "pipelines", ["bm25"] * 4),
    "other pipeline": changed(0, "pipelines.0", "bm25(b=0.2)"),
    "negative depth": changed(0, "depth", -1),
    "boolean show": changed(0, "show", True),
    "answers": changed(0, "answers", 7),
    "neither": changed(4, "error", None),
    "status": changed(1, "result.stages.0.status", "splendid"),
    "node": changed(1, "result.stages.0.node", "bm25 >> bm25"),
    "node call": changed(1, "result.stages.0.node", "__import__('os')"),
    "no stages": changed(1, "result.stages", []),
    "score": changed(1, "result.ranking.hits.0.1", "9"),
    "huge score": changed(1, "result.ranking.hits.0.1", 10**400),
    "rising": changed(1, "result.ranking.hits.2.1", 99.0),
    "twice": changed(1, "result.ranking.hits.1.0", "d03"),
    "id": changed(1, "result.ranking.hits.0.0", None),
    "half": changed(1, "result.ranking.hits.0.0", "\ud800"),
    "three": changed(1, "result.ranking.hits.0", ["d03", 1.0, 2]),
    "trace": changed(1, "result.stages.0.trace.load_s", "long"),
    "warnings": changed(1, "result.stages.0.trace.warnings", "no list"),
    "counts": changed(1, "result.stages.0.trace.counts", {"a": []}),
    "passages": changed(1, "result.passages", {"d01": 7}),
    "error": changed(3, "result.stages.1.error", "boom"),
    "recording": changed(6, "status", "200"),
    "recording format": changed(5, "format", "other"),
    "NaN": to_bytes(kept()).replace(b'"load_s": 0.0', b'"load_s": NaN', 1),
    "cut in a line": to_bytes(kept())[:-40],
    "cut at a line": b"\n".join(to_bytes(kept()).splitlines()[:3]),
    "answers cut": b"\n".join(to_bytes(kept()).splitlines()[:-1]),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_file_is_refused_and_nothing_is_written(home: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="not a saved comparison that can be opened") as caught:
        saved.add(HOSTILE[name])
    assert len(caught.value.message) < 500
    assert "unchanged" in caught.value.hint
    assert not store.folder().exists()


WHOLE = to_bytes(kept())


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=0, max_size=6), st.integers(0, 40))
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_read_or_refused_but_never_raises_anything_else(
    at: int, put: bytes, taken: int
) -> None:
    damaged = WHOLE[:at] + put + WHOLE[at + taken :]
    try:
        found = saved.comparison_of(damaged)
    except InvalidInput:
        return
    to_bytes(found)


def test_results_over_other_documents_are_not_shown(home: Path) -> None:
    before = kept()
    before.check_against(made.corpus())
    with pytest.raises(InvalidInput, match="other documents") as caught:
        before.check_against(made.corpus(5))
    assert "Import the corpus 'small'" in caught.value.hint
    liar = saved.comparison_of(changed(1, "result.stages.0.ranking.hits.0.0", "no such"))
    with pytest.raises(InvalidInput, match="documents that the corpus lacks, 'no such'"):
        liar.check_against(made.corpus())


def test_a_recording_that_is_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(to_bytes(kept()))
    monkeypatch.setattr("rerank_lab.services.comparisons.records.MAX_BYTES", whole - 1)
    after = saved.comparison_of(to_bytes(kept()))
    assert after.recording == ()
    assert after.header.answers == 0
    monkeypatch.setattr("rerank_lab.services.comparisons.records.MAX_BYTES", 1000)
    with pytest.raises(InvalidInput, match="larger than"):
        to_bytes(kept())


def test_what_is_still_waiting_cannot_be_saved() -> None:
    with pytest.raises(InvalidInput, match="still at work"):
        comparison(Topic(made.QUERY, made.corpus()), [outcome_of("bm25")], 50, 10)


def test_what_a_query_left_out_is_kept_with_it(home: Path) -> None:
    before = kept()
    query = replace(before.header.query, excluded=frozenset({"q1", "d30"}))
    after = saved.load(saved.keep(replace(before, header=replace(before.header, query=query))))
    assert after.header.query.excluded == {"q1", "d30"}
    first_line = lines_of(to_bytes(before))[0]
    assert set(first_line["query"]) == {"id", "text"}, "as earlier versions write it"
