"""A sample session with simulated judges, so that a newcomer sees a filled lead's view at once."""

from __future__ import annotations

import random
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.table import Job
from rerank_lab.judging import sessions
from rerank_lab.judging.records import JudgeKind, JudgingPair, Judgment, LabelSession
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.access import Action, needs
from rerank_lab.services.labelling import LabelSessionKey, SessionRequest, pooled_session
from rerank_lab.services.session import Session

JUDGES = ("Ada (simulated)", "Ben (simulated)")
_PIPELINES = ("bm25", "bm25 >> overlap", "rm3")
_QUERIES = 12
_SHARE_DONE = 0.7
_SLIPS = (0.12, 0.25)
"""How often each of the two is off by one grade."""


@needs(Action.JUDGE)
def start_sample(corpus: Corpus, session: Session) -> Job[str]:
    """The job that sets the sample up; its result is the session's id.

    Raises:
        InvalidInput: the corpus has no judgments for the simulated judges to go by.
    """
    judged = [query.id for query in corpus.queries if corpus.qrels.get(query.id)]
    if not judged:
        raise InvalidInput(
            f"{corpus.name} has no judgments that simulated judges could go by.",
            hint="Choose one of the sample corpora at the side.",
        )
    session_id = secrets.token_hex(6)
    request = SessionRequest(
        "Sample with simulated judges",
        tuple(Pipeline(spec).spec for spec in _PIPELINES),
        tuple(judged[:_QUERIES]),
        depth=5,
        judges=JUDGES,
        overlap=0.3,
    )
    engine = session.engine

    def work(ctx: Context) -> str:
        _store_sample(request, corpus, ctx, engine, session_id)
        return session_id

    return session.jobs.submit(
        LabelSessionKey(session_id, ()),
        work,
        lane="batch",
        name="Setting up the sample session",
        waiter=session.waiter,
    )


def _store_sample(
    request: SessionRequest, corpus: Corpus, ctx: Context, engine: Engine, session_id: str
) -> None:
    pooled = pooled_session(request, corpus, ctx, engine, session_id)
    labels = replace(pooled, simulated=True)
    store = JudgmentStore.open(engine.home)
    store.save_session(labels)
    store.append(simulated_judgments(labels, corpus))


def simulated_judgments(labels: LabelSession, corpus: Corpus) -> list[Judgment]:
    """Grades of two judges who mostly say what the corpus' own judgments say; seven in ten done."""
    draw = random.Random(labels.seed)
    judgments: list[Judgment] = []
    at = datetime.now(UTC) - timedelta(minutes=30)
    orders = {judge: sessions.judging_order(labels, judge) for judge in labels.judges}
    for turn in range(int(_SHARE_DONE * sessions.planned_grades(labels))):
        place = turn % len(labels.judges)
        judge = labels.judges[place]
        queue = sessions.queue_of(labels, orders[judge], judge, judgments)
        if not queue:
            continue
        seconds = round(draw.lognormvariate(2.2, 0.5), 1)
        at += timedelta(seconds=seconds / len(labels.judges))
        judgments.append(
            Judgment(
                labels.corpus,
                queue[0].query_id,
                queue[0].doc_id,
                _grade(queue[0], labels, corpus, draw, _SLIPS[place]),
                judge,
                JudgeKind.SIMULATED,
                at,
                seconds=seconds,
                content_hash=corpus.document_hash(queue[0].doc_id),
                position=turn // len(labels.judges) + 1,
                session_id=labels.session_id,
            )
        )
    return judgments


def _grade(
    pair: JudgingPair, labels: LabelSession, corpus: Corpus, draw: random.Random, slips: float
) -> int | None:
    values = [grade.value for grade in labels.scale.grades]
    own = corpus.qrels.get(pair.query_id, {}).get(pair.doc_id, 0)
    place = min(len(values) - 1, max(0, own))
    if draw.random() < slips:
        place = min(len(values) - 1, max(0, place + draw.choice((-1, 1))))
    return None if draw.random() < 0.02 else values[place]
