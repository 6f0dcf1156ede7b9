"""The judgments that count: a corpus' own, labels of the lab, or both. One place for every door.

corpus = with_judgments(load_corpus("helpdesk"), JudgmentSource(policy=Policy.MAJORITY))
corpus.basis.lab, corpus.basis.stale
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rerank_lab.core.database import known_database, may_hold
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import BOTH, LAB, OWN, SOURCES, JudgmentBasis, Policy
from rerank_lab.core.types import Qrels, Query
from rerank_lab.corpora import Corpus
from rerank_lab.judging.records import JudgeKind, JudgingPair, Judgment, PairOrigin

if TYPE_CHECKING:
    from rerank_lab.judging.store import JudgmentStore

WINNERS = (LAB, OWN)


@dataclass(frozen=True, slots=True)
class JudgmentSource:
    """Which judgments count, and how several labels of one pair become one grade.

    Attributes:
        source: "own" (the corpus'), "lab" (labels made or imported in the lab) or "both".
        winner: whose grade counts where both judge a pair: "lab" or "own".
        policy: from the labels of several judges to one grade.
        llm_judges: names of the LLM judges whose labels may count. Human labels always win.

    Raises:
        InvalidInput: `source` or `winner` is none of these.
    """

    source: str = BOTH
    winner: str = LAB
    policy: Policy = Policy.LATEST
    llm_judges: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("Judgments", self.source, SOURCES),
            ("The winner", self.winner, WINNERS),
        ):
            if value not in allowed:
                raise InvalidInput(
                    f"{name} cannot be {value!r}.", hint=f"Choose {', '.join(allowed)}."
                )


@dataclass(frozen=True, slots=True)
class LabLabels:
    """The labels of the lab for a corpus as it is now.

    Attributes:
        usable: what may count, simulated labels never among them.
        stale: labels whose document has another text now.
        unchecked: how many of the usable ones say nothing of the text that was judged.
        unknown: how many name a query or a document that nobody has here.
        queries: queries of the lab, not of the corpus, that a usable or stale label names.
        trusted: LLM judges that were compared with people and may count.
    """

    usable: tuple[Judgment, ...] = ()
    stale: tuple[Judgment, ...] = ()
    unchecked: int = 0
    unknown: int = 0
    queries: tuple[Query, ...] = ()
    trusted: frozenset[str] = frozenset()

    @property
    def judges(self) -> tuple[str, ...]:
        """Who gave the usable labels, by name."""
        return tuple(sorted({row.judge for row in self.usable}))

    @property
    def llm_judges(self) -> tuple[str, ...]:
        """The LLM judges among them that may count."""
        names = {row.judge for row in self.usable if row.kind is JudgeKind.LLM}
        return tuple(sorted(names & self.trusted))

    @property
    def by_people(self) -> bool:
        """Whether anything counts that no LLM has said."""
        return any(row.kind is not JudgeKind.LLM for row in self.usable)


def lab_store(home: Path | None = None) -> JudgmentStore | None:
    """The lab's judgments; None while the data folder holds none, so that asking makes no file."""
    if known_database(home) is None:
        return None
    from rerank_lab.judging.store import JudgmentStore  # SQLAlchemy takes its time

    return JudgmentStore.open(home)


def lab_labels(corpus: Corpus, home: Path | None = None) -> LabLabels:
    """The labels that the lab holds for a corpus, sorted by whether they still fit it.

    Raises:
        LabError: the lab database cannot be read.
    """
    store = lab_store(home)
    if store is None:
        return LabLabels()
    rows = [row for row in store.current(corpus.name) if row.kind is not JudgeKind.SIMULATED]
    corpus.prefetch(row.doc_id for row in rows)
    from rerank_lab.judging.llm_judge.trust import allowed_llm_judges

    own_ids = {query.id for query in corpus.queries}
    lab_queries = _lab_queries(corpus, store, own_ids) if rows else {}
    known_ids = own_ids | lab_queries.keys()
    usable: list[Judgment] = []
    stale: list[Judgment] = []
    unknown = 0
    for row in rows:
        current_hash = corpus.document_hash(row.doc_id)
        if not current_hash or row.query_id not in known_ids:
            unknown += 1
        elif row.content_hash and row.content_hash != current_hash:
            stale.append(row)
        else:
            usable.append(row)
    judged = {row.query_id for row in (*usable, *stale)}
    return LabLabels(
        tuple(usable),
        tuple(stale),
        sum(not row.content_hash for row in usable),
        unknown,
        tuple(query for query_id, query in lab_queries.items() if query_id in judged),
        allowed_llm_judges(store.comparisons(corpus.name), corpus.name),
    )


def _lab_queries(corpus: Corpus, store: JudgmentStore, own_ids: set[str]) -> dict[str, Query]:
    """Queries by id that the corpus lacks: of query sets, and those that a session keeps."""
    queries = {
        query.query_id: Query(query.query_id, query.text, {"tags": list(query.tags)})
        for query_set in store.query_sets(corpus.name)
        for query in query_set.queries
        if query.query_id not in own_ids
    }
    for session in store.sessions(corpus.name):
        for query_id, text in session.queries.items():
            if query_id not in own_ids:
                queries.setdefault(query_id, Query(query_id, text))
    return queries


def with_judgments(
    corpus: Corpus, source: JudgmentSource | None = None, home: Path | None = None
) -> Corpus:
    """A corpus as it was loaded, with the judgments that count; `basis` says what they stand on.

    Args:
        corpus: with its own judgments.
        source: which ones count. None: the corpus' own while nobody has labelled anything in the
            lab, else both, and the lab's grade where both judge a pair.
        home: the data folder; None for the usual one.

    Raises:
        InvalidInput: an LLM judge is to count that was not compared with people.
        LabError: the lab database cannot be read.
    """
    if source is not None and source.source == OWN:
        return _by_itself(corpus)
    if source is None and not may_hold("judgments", "corpus", corpus.name, home):
        return _by_itself(corpus)
    labels = lab_labels(corpus, home)
    if source is None:
        if not labels.by_people:
            return _by_itself(corpus, labels)
        source = JudgmentSource()
    own: Qrels = corpus.qrels if source.source == BOTH else {}
    people, llm = grades_of(labels, source, own)
    grades = {q: {**llm.get(q, {}), **people.get(q, {})} for q in sorted({*people, *llm})}
    qrels, overridden = _merged(own, grades, source.winner)
    from_lab = _count(grades)
    if source.winner == OWN:
        from_lab -= sum(d in own.get(q, {}) for q, graded in grades.items() for d in graded)
    basis = JudgmentBasis(
        source.source,
        source.winner if source.source == BOTH else "",
        source.policy.value,
        tuple(sorted(source.llm_judges)),
        own=_count(qrels) - from_lab,
        lab=from_lab,
        overridden=overridden,
        stale=len(labels.stale),
        unchecked=labels.unchecked,
        unknown=labels.unknown,
        digest=_digest(source, qrels),
    )
    lab_queries = (query for query in labels.queries if query.id in qrels)
    return corpus.with_judgments((*corpus.queries, *lab_queries), qrels, basis)


def grades_of(labels: LabLabels, source: JudgmentSource, own: Qrels) -> tuple[Qrels, Qrels]:
    """The lab's grades: those that people decided, and those that only LLM judges gave.

    An LLM judge has no say where the corpus itself (`own`) judges a pair.

    Raises:
        InvalidInput: an LLM judge is to count that was not compared with people.
    """
    untrusted = sorted(set(source.llm_judges) - labels.trusted)
    if untrusted:
        raise InvalidInput(
            f"{untrusted[0]} was not compared with people on this corpus, or too little agrees.",
            hint="Compare it first: `rerank-lab labels judge ... --trust` says what is missing.",
        )
    from rerank_lab.judging.policies import pair_decisions

    people: dict[str, dict[str, int]] = {}
    llm: dict[str, dict[str, int]] = {}
    for one in pair_decisions(
        labels.usable, source.policy, llm_judges=frozenset(source.llm_judges)
    ):
        if not one.by_llm:
            people.setdefault(one.query_id, {})[one.doc_id] = one.grade
        elif one.doc_id not in own.get(one.query_id, {}):
            llm.setdefault(one.query_id, {})[one.doc_id] = one.grade
    return people, llm


def source_of(basis: JudgmentBasis) -> JudgmentSource:
    """What to ask for, to get judgments on such a basis again."""
    if not basis.with_labels:
        return JudgmentSource(OWN)
    winner, policy = basis.winner or LAB, Policy(basis.policy)
    return JudgmentSource(basis.source, winner, policy, basis.llm_judges)


def stale_pairs(labels: LabLabels) -> tuple[JudgingPair, ...]:
    """Pairs to judge again: their text changed since, and nobody has judged the new one."""
    judged = {(row.query_id, row.doc_id) for row in labels.usable if row.grade is not None}
    pairs = dict.fromkeys((row.query_id, row.doc_id) for row in labels.stale)
    return tuple(
        JudgingPair(*pair, origin=PairOrigin.CHOSEN) for pair in pairs if pair not in judged
    )


def _by_itself(corpus: Corpus, labels: LabLabels = LabLabels()) -> Corpus:
    """With its own judgments alone; `labels` are those of which none could count."""
    own, stale = _count(corpus.qrels), len(labels.stale)
    basis = JudgmentBasis(own=own, stale=stale, unknown=labels.unknown)
    return corpus.with_judgments(corpus.queries, corpus.qrels, basis)


def _merged(own: Qrels, lab: Qrels, winner: str) -> tuple[dict[str, dict[str, int]], int]:
    """The grades of both, and how many pairs they grade differently."""
    first, second = (lab, own) if winner == LAB else (own, lab)
    qrels = {query_id: dict(grades) for query_id, grades in own.items()}
    for query_id in lab:
        qrels[query_id] = {**second.get(query_id, {}), **first.get(query_id, {})}
    overridden = sum(
        own.get(query_id, {}).get(doc_id, grade) != grade
        for query_id, grades in lab.items()
        for doc_id, grade in grades.items()
    )
    return qrels, overridden


def _count(qrels: Qrels) -> int:
    return sum(map(len, qrels.values()))


def _digest(source: JudgmentSource, qrels: Qrels) -> str:
    """SHA-256 of the grades and of how they came about."""
    grades = sorted((query_id, sorted(of_query.items())) for query_id, of_query in qrels.items())
    rule = [source.source, source.winner, source.policy.value, *sorted(source.llm_judges)]
    return hashlib.sha256(json.dumps([rule, grades]).encode()).hexdigest()
