"""The guided tour: which screen each step is about, and what it says of the run on that screen.

No number stands here: each is taken from the results that the visitor sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.pipeline.resolution import at_depth
from rerank_lab.views.compare import MEASURE, CompareColumn, CompareView, title_of
from rerank_lab.views.evaluate import evaluate_view
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import fraction, seconds

CORPUS, QUERY_ID = "helpdesk", "hd-q43"
PIPELINES = (PipelineSpec((Node("bm25"),)), Node("bm25") >> Node("ms-marco-minilm-l12"))
DEPTH = 20
"""Enough for the query, and quick: the evaluation of all queries is a part of the tour."""

MISSES, FINDS, COSTS, SURE, YOURS = 1, 2, 3, 4, 5
STEPS = 5
_TITLES = {
    MISSES: "BM25 misses",
    FINDS: "The reranker finds",
    COSTS: "What it costs",
    SURE: "Is it sure?",
    YOURS: "Your turn",
}


@dataclass(frozen=True, slots=True)
class TourStep:
    """One card. `marks` are keys of the parts of the screen that it speaks of.

    `ready` is false while the run has not come to what the step speaks of, `astray` true when
    another question is on screen.
    """

    number: int
    title: str
    text: str
    marks: tuple[str, ...] = ()
    ready: bool = True
    astray: bool = False

    @property
    def place(self) -> str:
        """`Step 2 of 5`."""
        return f"Step {self.number} of {STEPS}"


def on_compare(number: int) -> bool:
    """Whether a step is about the page Compare; the others are about Evaluate."""
    return MISSES <= number <= COSTS


def step_number(text: str) -> int:
    """The step that a link asks for; 0 for none."""
    return int(text) if text in {str(number) for number in range(1, STEPS + 1)} else 0


def is_possible(corpus: Corpus) -> bool:
    """Whether the tour's question is judged in this corpus."""
    return any(query.id == QUERY_ID for query in corpus.queries) and bool(
        corpus.qrels.get(QUERY_ID)
    )


def elsewhere(number: int) -> TourStep:
    """The card on a page that the step is not about."""
    page = "Compare" if on_compare(number) else "Evaluate"
    return TourStep(
        number, f"The tour goes on at {page}", "Go back to it, or leave it here.", astray=True
    )


def compare_step(number: int, view: CompareView, slots: Sequence[int]) -> TourStep:
    """A step about one query. `slots` are the colour numbers of the columns, which name them."""
    by_spec = {column.spec: column for column in view.columns}
    keyword, reranked = (by_spec.get(spec) for spec in PIPELINES)
    if view.topic.query.id != QUERY_ID or keyword is None or reranked is None:
        return TourStep(
            number,
            "You went your own way",
            "This step speaks of the tour's question and its two pipelines.",
            ready=False,
            astray=True,
        )
    needed = (keyword,) if number == MISSES else (keyword, reranked)
    missing = [column for column in needed if column.outcome.ranking is None]
    if missing:
        return TourStep(number, _TITLES[number], _missing_words(missing[0]), ready=False)
    columns = tuple(f"col_{slot}" for slot in slots)
    if number == MISSES:
        return _misses(view, keyword)
    if number == FINDS:
        text = _finds_words(view, keyword, reranked)
        return TourStep(FINDS, _TITLES[FINDS], text, ("verdict", "bump_area"))
    return TourStep(COSTS, _TITLES[COSTS], _costs_words(keyword, reranked), columns)


def _missing_words(column: CompareColumn) -> str:
    if column.failure is not None:
        return f"{column.label} does not run here: {column.failure.message} {column.failure.hint}"
    return f"{column.label} is at work. Its answer comes in a moment."


def _misses(view: CompareView, keyword: CompareColumn) -> TourStep:
    """Where the best judged answer stands after words were compared."""
    rank = _best_rank(view, keyword)
    answer = _best_title(view)
    place = (
        f"is not among its {counted(keyword.candidates, 'candidate')}"
        if rank is None
        else f"stands at rank {rank}"
    )
    text = (
        f"Somebody asks: “{view.topic.query.text}”. BM25 compares words, and the best judged "
        f"answer, “{answer}”, {place}."
    )
    if len(view.ready) > 1:
        text += " Its line in the chart is the darkest."
    misses = rank is None or rank > 10
    title = _TITLES[MISSES] if misses else "BM25 finds"
    return TourStep(MISSES, title, text, ("verdict", "bump_area"))


def _finds_words(view: CompareView, keyword: CompareColumn, reranked: CompareColumn) -> str:
    before, after = _best_rank(view, keyword), _best_rank(view, reranked)
    way = f"stands at {_rank_words(after)}, where BM25 had it at {_rank_words(before)}"
    words = f"A cross-encoder reads question and answer together. The best answer now {way}."
    values = [column.quality.ndcg if column.quality else None for column in (keyword, reranked)]
    if None not in values:
        words += f" {MEASURE}: {fraction(values[0])} before, {fraction(values[1])} after."
    return words


def _rank_words(rank: int | None) -> str:
    return "no rank" if rank is None else f"rank {rank}"


def _costs_words(keyword: CompareColumn, reranked: CompareColumn) -> str:
    """The time of both, and what it was spent on."""
    first = f"BM25 took {seconds(keyword.trace.warm_s)}."
    spent = reranked.trace.warm_s
    texts = counted(reranked.candidates, "document")
    if reranked.cached:
        return (
            f"{first} The reranker's scores of {texts} were kept from an earlier run and came in "
            f"{seconds(spent)}. “Measure afresh”, under Latency below, asks it again."
        )
    words = f"{first} Reading {texts} took the reranker {seconds(spent)} on this machine"
    if reranked.candidates:
        words += f", {seconds(spent / reranked.candidates)} each"
    return f"{words}. Each column says so at its head; Latency, below, shows the parts."


def _best_rank(view: CompareView, column: CompareColumn) -> int | None:
    """The highest rank of a document with the best grade of this query."""
    ranking = column.outcome.ranking
    ranks = ranking.ranks if ranking is not None else {}
    return min((ranks[doc_id] for doc_id in _best(view) if doc_id in ranks), default=None)


def _best(view: CompareView) -> list[str]:
    grades = view.topic.grades
    top = max(grades.values(), default=0)
    return [doc_id for doc_id, grade in grades.items() if grade == top]


def _best_title(view: CompareView) -> str:
    corpus = view.topic.corpus
    best = next((doc_id for doc_id in _best(view) if doc_id in corpus.by_id), "")
    return title_of(corpus.by_id[best]) if best else ""


def evaluate_step(number: int, evaluation: Evaluation | None, *, started: bool) -> TourStep:
    """A step about all queries; the sentence is that of the page.

    `evaluation` is what is on screen, None when nothing can be read of it yet.
    """
    if number == YOURS:
        text = (
            "Bring your own documents on Corpora, and ask what your users ask. Present, beside "
            "the query on Compare, shows it to others. The tour is at the foot of the side bar."
        )
        return TourStep(YOURS, _TITLES[YOURS], text)
    at_work = evaluation is None or not evaluation.finished
    if started and at_work:
        text = "All judged queries are at work. The answer stands here when they are done."
        return TourStep(SURE, _TITLES[SURE], text, ready=False)
    if evaluation is None or not _is_of_tour(evaluation):
        text = (
            "One query proves nothing. Press “Evaluate”: all judged queries go through both "
            "pipelines, here and now."
        )
        return TourStep(SURE, _TITLES[SURE], text, ("evaluate",), ready=False)
    text = (
        f"{evaluate_view(evaluation).sentence} In brackets stands the 95 % interval of the "
        "difference: where it leaves 0 out, the gain is more than the luck of these queries."
    )
    return TourStep(SURE, _TITLES[SURE], text, ("evaluate_top",))


def _is_of_tour(evaluation: Evaluation) -> bool:
    specs = [str(at_depth(spec, DEPTH)) for spec in PIPELINES]
    return evaluation.design.corpus == CORPUS and set(specs) <= set(evaluation.design.pipelines)
