"""Which judgments count: the corpus' own, labels of the lab, or both; stale and simulated ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

import rerank_lab
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import Policy
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import plan
from rerank_lab.judging.llm_judge.trust import (
    Consistency,
    GradePair,
    JudgeTrust,
    compare_with_people,
)
from rerank_lab.judging.records import (
    JudgeKind,
    Judgment,
    LabQuery,
    LabQuerySet,
    QueryOrigin,
)
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services.qrels import JudgmentSource, lab_labels, stale_pairs, with_judgments

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DOCUMENTS = tuple(Document(f"d{n}", f"cats and text number {n}") for n in range(1, 5))
QUERIES = (Query("q1", "cats"), Query("q2", "text"))
CORPUS = Corpus("pets", DOCUMENTS, QUERIES, {"q1": {"d1": 1, "d2": 0}})


def label(query_id: str, doc_id: str, grade: int | None, judge: str = "ann") -> Judgment:
    return Judgment(
        corpus="pets",
        query_id=query_id,
        doc_id=doc_id,
        grade=grade,
        judge=judge,
        kind=JudgeKind.HUMAN,
        at=NOW,
        content_hash=CORPUS.document_hash(doc_id),
    )


def keep(*rows: Judgment) -> JudgmentStore:
    store = JudgmentStore.open()
    store.append(rows)
    return store


def test_nothing_labelled_leaves_the_corpus_and_the_data_folder_as_they_are(home: Path) -> None:
    judged = with_judgments(CORPUS)
    assert judged.qrels == CORPUS.qrels
    assert (judged.basis.source, judged.basis.own) == ("own", 2)
    assert not home.exists()


@pytest.mark.parametrize(
    ("source", "qrels", "counts"),
    [
        (None, {"q1": {"d1": 3, "d2": 0}, "q2": {"d3": 2}}, (1, 2, 1)),
        (JudgmentSource("own"), {"q1": {"d1": 1, "d2": 0}}, (2, 0, 0)),
        (JudgmentSource("lab"), {"q1": {"d1": 3}, "q2": {"d3": 2}}, (0, 2, 0)),
        (
            JudgmentSource(winner="own"),
            {"q1": {"d1": 1, "d2": 0}, "q2": {"d3": 2}},
            (2, 1, 1),
        ),
    ],
)
def test_own_lab_or_both_and_who_wins(
    source: JudgmentSource | None,
    qrels: dict[str, dict[str, int]],
    counts: tuple[int, int, int],
) -> None:
    keep(label("q1", "d1", 3), label("q2", "d3", 2))
    judged = with_judgments(CORPUS, source)
    assert judged.qrels == qrels
    assert (judged.basis.own, judged.basis.lab, judged.basis.overridden) == counts
    assert CORPUS.qrels == {"q1": {"d1": 1, "d2": 0}}


def test_a_label_of_a_text_that_changed_is_left_out_counted_and_offered_again() -> None:
    keep(label("q1", "d1", 3), label("q1", "d3", 2))
    changed = replace(CORPUS, documents=(Document("d1", "dogs"), *DOCUMENTS[1:]))
    judged = with_judgments(changed)
    assert judged.qrels == {"q1": {"d1": 1, "d2": 0, "d3": 2}}
    assert (judged.basis.stale, judged.basis.lab) == (1, 1)
    (pair,) = stale_pairs(lab_labels(changed))
    assert (pair.query_id, pair.doc_id) == ("q1", "d1")

    keep(
        msgspec.structs.replace(
            label("q1", "d1", 0, "ben"), content_hash=changed.document_hash("d1")
        )
    )
    assert with_judgments(changed).qrels["q1"]["d1"] == 0
    assert stale_pairs(lab_labels(changed)) == ()


def test_rows_without_a_hash_count_and_are_said_to_be_unchecked() -> None:
    keep(msgspec.structs.replace(label("q1", "d3", 2), content_hash="", kind=JudgeKind.IMPORTED))
    judged = with_judgments(CORPUS)
    assert judged.qrels["q1"]["d3"] == 2
    assert judged.basis.unchecked == 1


def test_unknown_queries_and_documents_are_left_out_and_counted() -> None:
    keep(label("q1", "d1", 3), label("q1", "gone", 1), label("nobody", "d1", 1))
    judged = with_judgments(CORPUS)
    assert judged.qrels == {"q1": {"d1": 3, "d2": 0}}
    assert judged.basis.unknown == 2


def test_simulated_labels_never_count() -> None:
    keep(msgspec.structs.replace(label("q2", "d1", 3), kind=JudgeKind.SIMULATED))
    assert with_judgments(CORPUS).basis.source == "own"
    assert with_judgments(CORPUS, JudgmentSource("lab")).qrels == {}


def compared(judge: str) -> JudgeTrust:
    """A comparison in which a judge agrees with people on 40 documents of 8 queries."""
    pairs = [GradePair(f"q{n % 8}", f"d{n}", n % 4, n % 4) for n in range(40)]
    comparison = compare_with_people(
        pairs, (0, 1, 2, 3), judge=judge, corpus="pets", against="lab", compared_at=NOW
    )
    return replace(comparison, repeat=Consistency(10, 10))


def test_an_llm_counts_only_when_it_is_named_and_compared_and_never_against_a_human() -> None:
    llm = msgspec.structs.replace(label("q2", "d1", 3, "llm:m:1"), kind=JudgeKind.LLM)
    store = keep(llm)
    assert with_judgments(CORPUS).basis.source == "own"
    store.append([label("q2", "d2", 1), msgspec.structs.replace(llm, doc_id="d2", content_hash="")])
    assert with_judgments(CORPUS).qrels["q2"] == {"d2": 1}
    source = JudgmentSource(llm_judges=("llm:m:1",))
    with pytest.raises(InvalidInput, match="not compared with people"):
        with_judgments(CORPUS, source)
    assert lab_labels(CORPUS).llm_judges == ()
    store.save_comparison(compared("llm:m:1"))
    assert lab_labels(CORPUS).llm_judges == ("llm:m:1",)
    judged = with_judgments(CORPUS, source)
    assert judged.qrels["q2"] == {"d1": 3, "d2": 1}
    assert judged.basis.llm_judges == ("llm:m:1",)


def test_an_llm_never_overrides_what_the_corpus_judges_itself() -> None:
    llm = msgspec.structs.replace(label("q1", "d1", 3, "llm:m:1"), kind=JudgeKind.LLM)
    store = keep(llm, msgspec.structs.replace(llm, doc_id="d3", content_hash=""))
    store.save_comparison(compared("llm:m:1"))
    judged = with_judgments(CORPUS, JudgmentSource(llm_judges=("llm:m:1",)))
    assert judged.qrels["q1"] == {"d1": 1, "d2": 0, "d3": 3}
    assert (judged.basis.own, judged.basis.lab, judged.basis.overridden) == (2, 1, 0)


def test_what_was_taken_back_and_what_nobody_can_tell_do_not_count() -> None:
    store = keep(label("q1", "d1", None), label("q1", "d3", 2))
    store.undo(store.current("pets")[-1].row_id, "ann", NOW)
    assert with_judgments(CORPUS, JudgmentSource("both")).qrels == CORPUS.qrels


def test_queries_built_in_the_lab_are_asked_when_they_are_judged() -> None:
    store = keep(label("typed", "d1", 2))
    typed = LabQuery("typed", "which cats", QueryOrigin.TYPED, ("head",))
    unjudged = LabQuery("other", "no cats", QueryOrigin.TYPED)
    store.save_query_set(LabQuerySet("pets", "mine", (typed, unjudged), NOW))
    judged = with_judgments(CORPUS)
    assert [query.id for query in judged.queries] == ["q1", "q2", "typed"]
    assert judged.qrels["typed"] == {"d1": 2}
    assert judged.basis.unknown == 0


def test_labels_and_policy_are_part_of_an_experiments_identity() -> None:
    own = plan(CORPUS, ["bm25"])
    keep(label("q1", "d1", 3), label("q1", "d1", 2, "ben"))
    latest = plan(with_judgments(CORPUS), ["bm25"])
    majority = plan(with_judgments(CORPUS, JudgmentSource(policy=Policy.MAJORITY)), ["bm25"])
    assert plan(with_judgments(CORPUS, JudgmentSource("own")), ["bm25"]).id == own.id
    assert len({own.id, latest.id, majority.id}) == 3
    keep(label("q1", "d1", 0, "cleo"))
    assert plan(with_judgments(CORPUS), ["bm25"]).id != latest.id
    assert latest.design.basis.policy == "latest"


def test_a_judged_corpus_knows_its_hash_without_reading_the_documents_again() -> None:
    keep(label("q1", "d1", 3))
    content_hash = CORPUS.content_hash
    judged = rerank_lab.with_judgments(CORPUS)
    assert vars(judged)["content_hash"] == content_hash


def test_a_source_that_is_none_says_which_there_are() -> None:
    with pytest.raises(InvalidInput) as error:
        JudgmentSource("mine")
    assert "own, lab, both" in error.value.hint
