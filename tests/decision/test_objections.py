"""Where the data cannot decide at all, it is said, with what is likely to be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.corpora import Corpus
from rerank_lab.decision.choice import PipelineDecision
from rerank_lab.decision.requirements import Requirements
from rerank_lab.decision.wording import headline, reasons
from rerank_lab.evaluation.experiments import Evaluation, evaluate, score
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.decide import decide
from tests.decision.timed import timed

BM25, L12 = "bm25", "bm25 >> ms-marco-minilm-l12"
NAMES = {BM25: "bm25", L12: "l12"}
SECONDS = {BM25: 0.002, L12: 0.3}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def made(bm25: Sequence[int | None], l12: Sequence[int | None]) -> Evaluation:
    return timed({BM25: bm25, L12: l12}, SECONDS)


def kinds(decision: PipelineDecision) -> list[str]:
    return [one.kind for one in decision.objections]


def test_nothing_is_recommended_where_every_pipeline_has_0(engine: Engine) -> None:
    decision = decide(made([0] * 40, [0] * 40), engine)
    assert (decision.verdict, decision.pipeline) == ("undecided", "")
    assert headline(decision, NAMES) == (
        "The data cannot decide. Every pipeline has RR@10 0 on all 40 queries."
    )
    assert reasons(decision, NAMES) == (
        "No pipeline retrieves a document that is judged relevant, at any rank. Nothing among the "
        "first 10 is judged at all.",
    )
    assert [one.kind for one in decision.steps] == ["data"]
    assert [one.dominated_by for one in decision.contenders] == [(), ()]


def test_nor_where_all_are_within_the_margin_of_0(engine: Engine) -> None:
    decision = decide(made([9] + [0] * 59, [0] * 60), engine)
    assert decision.verdict == "undecided"
    assert "No pipeline has a RR@10 above 0.02" in headline(decision, NAMES)
    assert kinds(decision) == ["retrieval", "depth"]
    # One limit that leaves one pipeline makes it no better.
    assert decide(made([0] * 9, [0] * 9), engine, Requirements(p95=0.1)).verdict == "undecided"


def test_not_worse_than_another_recommends_nothing_near_0(engine: Engine) -> None:
    weak = made([5, 5] + [0] * 10, [5, 5] + [0] * 10)  # mean 0.033, interval from 0 on
    decision = decide(weak, engine)
    assert decision.verdict == "undecided"
    assert any("recommends nothing" in line for line in reasons(decision, NAMES))
    assert any(line.startswith("On 10 of 12 queries every") for line in reasons(decision, NAMES))


def test_judgments_of_another_corpus_are_named(engine: Engine) -> None:
    corpus = Corpus("ours", (Document("doc-1", "a text"), Document("doc-2", "another")))
    decision = decide(made([0] * 9, [0] * 9), engine, corpus=corpus)
    (why,) = reasons(decision, NAMES)
    assert why.startswith(
        "The one document judged relevant is not in the corpus (“right” is not there, while its "
        "first document is called “doc-1”)"
    )
    assert decision.steps[0].sentence.startswith("Bring the judgments of these very")


def test_queries_of_another_language_are_named(engine: Engine) -> None:
    documents = tuple(
        Document(f"d{n}", f"The printer number {n} does not answer and the paper is in the tray.")
        for n in range(9)
    )
    asked = ("Wie kann ich das Passwort von meinem Konto ändern", "Warum ist das Netz so langsam")
    corpus = Corpus(
        "mixed",
        documents,
        tuple(Query(f"q{n}", text) for n, text in enumerate(asked)),
        {f"q{n}": {f"d{n}": 1} for n in range(2)},
    )
    decision = decide(evaluate(corpus, ["bm25", "bm25(b=0.3)"]), engine, corpus=corpus)
    assert kinds(decision) == ["retrieval", "language", "retrieval"]
    assert "The queries look German, the documents English" in decision.objections[1].sentence


def test_no_judgment_and_no_relevant_judgment_are_told_apart(engine: Engine) -> None:
    plain = made([], [])
    assert headline(decide(plain, engine), NAMES) == "The data cannot decide. No query is judged."
    answered = made([1] * 8, [2] * 8)
    grades = {query.id: {"right": 0} for query in answered.design.queries}
    none = score(replace(answered.design, qrels=grades), answered.cells.values())
    assert headline(decide(none, engine), NAMES).endswith(
        "No document is judged relevant for any of the 8 queries that all pipelines answered."
    )
    negative = {query_id: {"right": -1} for query_id in grades}
    below = score(replace(answered.design, qrels=negative), answered.cells.values())
    assert kinds(decide(below, engine)) == ["relevance"]


def test_counts_are_no_quality(engine: Engine) -> None:
    counted = made([1] * 8, [2] * 8)
    design = replace(counted.design, measures=("Judged@10", "NumRet"))
    decision = decide(score(design, counted.cells.values()), engine)
    assert headline(decision, NAMES).endswith("Judged@10 counts queries or documents and says "
                                              "nothing of quality.")  # fmt: skip
    assert decision.steps[0].kind == "measure"
    # With `rel` it counts what is relevant: a measure of quality.
    design = replace(counted.design, measures=("Judged@10", "NumRet(rel=1)"))
    assert decide(score(design, counted.cells.values()), engine).verdict == "recommended"


def test_one_query_shows_nothing(engine: Engine) -> None:
    decision = decide(made([9], [1]), engine)
    assert decision.verdict == "undecided"
    assert reasons(decision, NAMES)[-1] == (
        "On 1 query the test can show no difference, however large; it needs 6 or more."
    )
    # Six is the least with which it does: all wins give p = 2 / 2 ** 6.
    assert decide(made([9] * 6, [1] * 6), engine).verdict == "recommended"
    assert decide(made([9] * 5, [1] * 5), engine).verdict == "undecided"


def test_the_same_rankings_and_the_same_values_are_told_apart(engine: Engine) -> None:
    same = decide(made([2, 3] * 5, [2, 3] * 5), engine)
    assert (same.verdict, same.pipeline) == ("recommended", BM25)
    assert "the same documents in the same order" in reasons(same, NAMES)[-1]
    plain = made([1] * 9, [1] * 9)
    cells = [
        replace(cell, ranking=Ranking.from_order(cell.query_id, cell.ranking.doc_ids[:5]))
        if cell.pipeline == L12 and cell.ranking
        else cell
        for cell in plain.cells.values()
    ]
    easy = decide(score(plain.design, cells), engine)
    assert "too easy to tell them apart" in reasons(easy, NAMES)[-1]


def test_the_baseline_may_be_the_best(engine: Engine) -> None:
    decision = decide(made([1] * 30, [5] * 30), engine)
    assert (decision.verdict, decision.pipeline) == ("recommended", BM25)


def test_a_pipeline_that_failed_on_half_of_the_queries_is_not_taken(engine: Engine) -> None:
    decision = decide(made([4] * 40, [1] * 20 + [None] * 20), engine)
    (fallen,) = decision.fallen
    assert fallen.pipeline == L12
    assert [one.sentence for one in fallen.unmet] == [
        "it gave no answer of its own to 20 of 40 queries"
    ]
    assert decision.steps[0].sentence.startswith("Ask the 20 failed queries again")
    assert "Compared on 20 of the 40 judged queries" in reasons(decision, NAMES)[-1]
    # One of forty is borne.
    assert not decide(made([4] * 40, [1] * 39 + [None]), engine).fallen
    # What was not asked yet is no failure.
    assert not decide(made([4] * 40, [1] * 20), engine).fallen
