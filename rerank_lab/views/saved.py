"""Saved comparisons as values: made from what is on screen, listed, and shown again."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from rerank_lab.components.registry import resolve
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.storage import MEMORY
from rerank_lab.remote.recordings import Recording
from rerank_lab.services.comparisons import Comparison, Entry, Header, SavedColumn, default_title
from rerank_lab.views.compare import PipelineOutcome
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import short_labels
from rerank_lab.views.text import shorten
from rerank_lab.views.topic import Topic


@dataclass(frozen=True, slots=True)
class SavedLine:
    """One line of the list, in words."""

    id: str
    title: str
    about: str
    file_name: str


def comparison(
    topic: Topic,
    outcomes: Sequence[PipelineOutcome],
    depth: int,
    show: int,
    recordings: Sequence[Recording] = (),
    now: datetime | None = None,
) -> Comparison:
    """What is on screen as a comparison to keep. Raises InvalidInput while something is waiting."""
    if any(outcome.waiting for outcome in outcomes):
        raise InvalidInput(
            "Some pipelines are still at work.", hint="Save the comparison once they have ended."
        )
    lines = _joined(recordings)
    corpus = topic.corpus
    header = Header(
        title=default_title(topic.query.text),
        created_at=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
        corpus=corpus.name,
        content_hash=corpus.content_hash,
        documents=corpus.size or 0,
        query=topic.query,
        depth=depth,
        show=show,
        pipelines=tuple(str(outcome.spec) for outcome in outcomes),
        answers=max(0, len(lines) - 1),
        versions={
            "rerank-lab": version("rerank-lab"),
            "python": platform.python_version(),
        },
    )
    columns = tuple(SavedColumn(str(o.spec), o.result, o.error) for o in outcomes)
    return Comparison(header, columns, lines)


def outcomes(saved: Comparison) -> dict[PipelineSpec, PipelineOutcome]:
    """By canonical spec, what each column came to. Pipelines that do not exist here are left out.

    Their results could be shown, but nothing could be told of what made them.
    """
    by_spec: dict[PipelineSpec, PipelineOutcome] = {}
    for column in saved.columns:
        try:
            spec = resolve(column.pipeline)
        except LabError:
            continue
        by_spec[spec] = PipelineOutcome(spec, column.result, column.error)
    return by_spec


def line(entry: Entry) -> SavedLine:
    """`helpdesk · bm25 | bm25 >> cohere · 24 November 2026, 15:40 UTC · 3 recorded answers`."""
    header = entry.header
    details = [
        header.corpus,
        shorten(" | ".join(_labels(header.pipelines).values()), 90),
        when(header),
    ]
    if header.answers:
        details.append(counted(header.answers, "recorded answer"))
    stem = "".join(c if c.isalnum() and c.isascii() else "-" for c in header.title).strip("-")
    return SavedLine(
        entry.id, header.title, " · ".join(details), f"{stem[:60] or 'comparison'}.rerank-lab.jsonl"
    )


def when(header: Header) -> str:
    """`24 November 2026, 15:40 UTC`."""
    at = datetime.fromisoformat(header.created_at)
    at = at.astimezone(UTC) if at.tzinfo else at
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def banner(header: Header, replayed: int, columns: int) -> str:
    """What is said above a comparison that is shown again."""
    if replayed == columns:
        return f"Replayed from {when(header)}; nothing was asked."
    return (
        f"{replayed} of {columns} columns are replayed from {when(header)}; "
        "the others were asked now."
    )


def _labels(specs: Sequence[str]) -> Mapping[str, str]:
    try:
        return short_labels(specs)
    except LabError:
        return {spec: spec for spec in specs}


def _joined(recordings: Sequence[Recording]) -> tuple[str, ...]:
    with Recording(MEMORY) as joined:
        for recording in recordings:
            joined.add_lines(recording.lines())
        return tuple(joined.lines()) if len(joined) else ()
