"""`rerank-lab rank`: one query through one or more pipelines."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rerank_lab.cli.limits import PROVIDER_TIMEOUT_S
from rerank_lab.cli.output import Output, cut, number, pad, screen_width, seconds
from rerank_lab.cli.reading import judgment_source, print_basis
from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, InvalidInput, LabError
from rerank_lab.core.spec import parse
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.storage import MEMORY, write_file
from rerank_lab.core.types import Hit, Query, Status
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline, pipelines
from rerank_lab.pipeline.results import Result
from rerank_lab.remote.recordings import Recording
from rerank_lab.services import compare
from rerank_lab.services.compare import CompareRequest
from rerank_lab.services.cost_estimates import calls_out
from rerank_lab.services.qrels import with_judgments
from rerank_lab.views.topic import Topic

SHOWN = 10
"""What pipelines of a command hand over unless they say so: a recording is opened at that depth."""


def rank(arguments: argparse.Namespace, output: Output) -> int:
    """Rank, print; 2 when any pipeline failed (the others are printed all the same)."""
    if not arguments.query.strip():
        raise InvalidInput("The query is empty.", hint="Give the words to search for.")
    parsed = pipelines(arguments.pipelines)
    corpus = with_judgments(
        load_corpus(arguments.corpus, exclude_identical=arguments.exclude_identical),
        judgment_source(arguments),
    )
    query = _query(corpus, arguments.query)
    engine = default_engine()
    ctx = Context(
        cache=None if arguments.no_cache else engine.scores,
        progress=output.progress,
        spend=SpendMeter(arguments.spend_limit),
    )
    results: list[Result] = []
    with _recording(arguments, corpus) as recording:
        for pipeline in parsed:
            run_ctx = replace(ctx, recording=recording, deadline=_deadline(pipeline, arguments))
            request = CompareRequest(query, pipeline.spec)
            result = compare.run(request, corpus, run_ctx, engine)
            if result.status is Status.CANCELLED:
                raise Cancelled("Interrupted.", hint="Run the command again to go on.")
            results.append(result)
        if recording is not None and not recording.replaying:
            _save(arguments, Topic(query, corpus), results, recording)
    failed = [result for result in results if result.error is not None]
    if arguments.format:
        return _other_shape(arguments.format, results, corpus, arguments.top, output)
    if output.as_json and len(failed) < len(results):
        rankings = [to_json(result, arguments.top) for result in results]
        output.json({"rankings": rankings, "judgments": corpus.basis.to_json()})
    elif not output.as_json:
        for result in results:
            _print(result, corpus, arguments.top or SHOWN, output)
        if corpus.qrels.get(query.id):
            print_basis(corpus.basis, output)
    for result in failed:
        if result.error is not None:
            output.error(result.error)
    return 2 if failed else 0


def _deadline(pipeline: Pipeline, arguments: argparse.Namespace) -> float | None:
    """The `time.monotonic()` moment at which a pipeline is given up; None for never."""
    seconds: float | None = arguments.timeout
    if seconds is None and calls_out(pipeline.spec):
        seconds = PROVIDER_TIMEOUT_S
    return None if seconds is None else time.monotonic() + seconds


@contextmanager
def _recording(arguments: argparse.Namespace, corpus: Corpus) -> Iterator[Recording | None]:
    """The recording to record on or to replay, None for neither."""
    if arguments.record and arguments.replay:
        raise InvalidInput(
            "A comparison is recorded or replayed, not both.", hint="Leave one of them out."
        )
    if not (arguments.record or arguments.replay):
        yield None
        return
    with Recording(MEMORY) as recording:
        if arguments.replay:
            from rerank_lab.services.comparisons import comparison_of

            saved = comparison_of(_read(Path(arguments.replay)))
            saved.check_against(corpus)
            recording.add_lines(saved.recording)
            recording.mode = "replay"
        yield recording


def _read(path: Path) -> bytes:
    from rerank_lab.services.comparisons import MAX_BYTES

    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise InvalidInput(
            f"{path} cannot be read ({fault.strerror}).", hint="Name a file made by --record."
        ) from None


def _save(
    arguments: argparse.Namespace,
    question: Topic,
    results: Sequence[Result],
    recording: Recording,
) -> None:
    """The results and all answers as one file, which the app opens as well."""
    from rerank_lab.services.comparisons import known_secrets, to_bytes
    from rerank_lab.services.cost_estimates import CANDIDATES
    from rerank_lab.views.compare import PipelineOutcome
    from rerank_lab.views.saved import comparison

    outcomes = [PipelineOutcome(parse(result.spec), result) for result in results]
    saved = comparison(question, outcomes, CANDIDATES, arguments.top or SHOWN, [recording])
    data = to_bytes(saved, known_secrets({}, [outcome.spec for outcome in outcomes]))
    write_file(Path(arguments.record), data)


def _other_shape(
    shape: str, results: Sequence[Result], corpus: Corpus, top: int | None, output: Output
) -> int:
    """One line a pipeline; for one that cannot be told in that shape, its error. 2 when any."""
    from rerank_lab.views.response_formats import SHAPES

    code = 0
    for result in results:
        try:
            output.json(SHAPES[shape](result, corpus, top))
        except LabError as error:
            output.error(error)
            code = 2
    return code


def to_json(result: Result, top: int | None = None) -> dict[str, Any]:
    """One ranking in the stable shape; a failed pipeline has no hits, and its error."""
    ranking = result.ranking
    hits = ranking.hits[:top] if ranking is not None else ()
    values: dict[str, Any] = {
        "pipeline": result.spec,
        "scale": ranking.scale if ranking is not None else None,
        "hits": [{"rank": h.rank, "doc_id": h.doc_id, "score": h.score} for h in hits],
        "trace": result.trace.to_json(),
        "cut_texts": [counts._asdict() for counts in result.cut_texts],
        "status": result.status.value,
    }
    error = result.error
    if error is not None:
        values["error"] = {"error": error.kind, "message": error.message, "hint": error.hint}
    return values


def _query(corpus: Corpus, text: str) -> Query:
    """The corpus' own query of that text, which has judgments, or a new one.

    Capitals do not matter where no query has just this text.
    """
    exact = Topic.of(text, corpus).query
    if exact in corpus.queries:
        return exact
    folded = text.strip().casefold()
    alike = (query for query in corpus.queries if query.text.strip().casefold() == folded)
    return next(alike, Query.of(text.strip()))


def _print(result: Result, corpus: Corpus, top: int, output: Output) -> None:
    output.line(result.spec)
    if result.ranking is None:
        output.line("  failed")
        output.line()
        return
    trace = result.trace
    facts = [f"{len(result.ranking)} documents", seconds(trace.warm_s)]
    if trace.load_s >= 0.0005:
        facts.append(f"loading {seconds(trace.load_s)}")
    if trace.build_s >= 0.0005:
        facts.append(f"building the index {seconds(trace.build_s)}")
    facts.append(f"score: {result.ranking.scale}")
    if result.status is not Status.OK:
        facts.append(result.status.value)
    output.line("  " + " · ".join(facts))
    for warning in (*trace.warnings, *(counts.sentence for counts in result.cut_texts)):
        output.line(f"  note: {warning}")
    if not result.ranking.hits:
        output.line("  nothing found")
    first = _first_ranks(result, corpus)
    grades = corpus.qrels.get(result.query.id, {})
    titles = _Titles(corpus, result.passages)
    for hit in result.ranking.hits[:top]:
        output.line(_line(hit, first, grades, titles))
    output.line()


def _first_ranks(result: Result, corpus: Corpus) -> Mapping[str, int]:
    """Ranks after the first stage; none to compare with when there is no other stage."""
    first = result.stages[0].ranking
    if first is None or len(result.stages) < 2:
        return {}
    return (first.folded(corpus.parent_of)[0] if corpus.parent_of else first).ranks


class _Titles:
    """What to show of a document: its title and how its best passage begins."""

    def __init__(self, corpus: Corpus, passages: Mapping[str, str]) -> None:
        self.corpus = corpus
        self.passages = passages

    def of(self, doc_id: str) -> str:
        document = self.corpus.by_id.get(self.passages.get(doc_id, doc_id))
        if document is None:
            return ""
        return " — ".join(part for part in (document.title, document.text) if part)


def _line(hit: Hit, first: Mapping[str, int], grades: Mapping[str, int], titles: _Titles) -> str:
    before = first.get(hit.doc_id)
    moved = ""
    if before is not None:
        step = before - hit.rank
        moved = "=" if not step else f"{'▲' if step > 0 else '▼'}{abs(step)}"
    grade = f"[{grades[hit.doc_id]}]" if hit.doc_id in grades else ""
    cells = [
        pad(str(hit.rank), 4, True),
        pad(moved, 4) if first else "",
        pad(number(hit.score, 3), 8, True),
        pad(grade, 3) if grades else "",
        pad(hit.doc_id, 12),
    ]
    head = "  ".join(cell for cell in cells if cell)
    return f"{head}  {cut(titles.of(hit.doc_id), max(20, screen_width() - len(head) - 2))}"
