"""Rerankers alone, for candidates that come from elsewhere: a search engine, a framework, a list.

    result = rerank_documents("ms-marco-minilm-l12(top=50) >> mmr", "what is a heat pump?", texts)

The text form is that of a pipeline without its first stage, which the given candidates replace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from rerank_lab.components.registry import expand, leaves, resolve_stages
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.guard import lab_errors
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.results import Result
from rerank_lab.pipeline.stages import CANDIDATES, rerank_candidates
from rerank_lab.rerankers.long_documents import estimated_token_budget


class Stages:
    """Checked, canonical reranking stages. `str()` gives their text, which parses back.

    A text or a spec holds rerankers only; a name that is a first stage as well, such as splade,
    stands for the reranker. Of a Pipeline the first stage is left out.
    """

    def __init__(self, stages: str | Node | PipelineSpec | Pipeline | Stages) -> None:
        if isinstance(stages, Pipeline):
            if not stages.spec.stages:
                raise InvalidInput(
                    f"The pipeline {str(stages)!r} has no reranker.",
                    hint=f'Add one, such as: "{stages} >> ms-marco-minilm-l12(top=50)"',
                )
            stages = PipelineSpec(stages.spec.stages)
        self.spec: PipelineSpec = (
            stages.spec if isinstance(stages, Stages) else resolve_stages(stages)
        )

    def __str__(self) -> str:
        return str(self.spec)

    def __repr__(self) -> str:
        return f"Stages({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stages) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.spec)

    @property
    def leaves(self) -> list[Node]:
        """The rerankers in order, fusions opened."""
        return [leaf for node in self.spec.nodes for leaf, _ in leaves(node, "reranker")]

    def check(self, engine: Engine | None = None) -> list[LabError]:
        """Everything that would stop them from running here, found without doing any work."""
        engine = engine or default_engine()
        problems: list[LabError] = []
        for node in self.leaves:
            try:
                problems += engine.reranker(node).problems()
            except LabError as error:
                problems.append(error)
        return problems

    def load(self, ctx: Context | None = None, engine: Engine | None = None) -> None:
        """Make the models ready, so that the first query need not wait for them.

        Raises the LabError that says why one cannot be had.
        """
        engine = engine or default_engine()
        ctx = engine.context(ctx)
        for node in self.leaves:
            with lab_errors(f"Loading {node}"):
                reranker = engine.reranker(node)
                reranker.prepare(ctx)
                reranker.load(ctx)

    def token_count(self, engine: Engine) -> Callable[[str], int]:
        """Counts the tokens of a text as the first reranker has them, which reads all documents.

        Without a tokenizer at hand a word counts as one for every three bytes, begun ones too.
        """
        budget = None
        with suppress(LabError):
            budget = engine.reranker(self.leaves[0]).token_budget("")
        if budget is None:
            return estimated_tokens
        return lambda text: len(budget.spans(text))

    def rerank(
        self,
        query: Query | str,
        documents: Sequence[Document | str],
        ctx: Context | None = None,
        engine: Engine | None = None,
    ) -> Result:
        """Order the documents for the query. A text gets its place in the list as id, from "0".

        The ranking holds every document unless a stage drops some; scores are None where the last
        stage gave none. A stage that fails does not raise: see `Result.status` and `.error`. What
        cannot be asked (an empty query, one id twice) is InvalidInput.
        """
        query = Query.of(query) if isinstance(query, str) else query
        if not query.text.strip():
            raise InvalidInput("The query is empty.", hint="Give the words to search for.")
        corpus = candidates(documents)
        engine = engine or default_engine()
        nodes = self.spec.nodes if corpus.documents else ()
        results = rerank_candidates(nodes, query, corpus, engine.context(ctx), engine)
        ranking = results[-1].ranking
        return Result(str(self), query, tuple(results), ranking)

    @property
    def scale(self) -> str:
        """What the scores of the last stage are, "order" when it gives none."""
        return expand(self.spec.nodes[-1], "reranker")[0].scale


def estimated_tokens(text: str) -> int:
    """Tokens of a text where no tokenizer is at hand: a word is one for every three bytes."""
    return len(estimated_token_budget(0).spans(text))


def rerank_documents(
    stages: str | Node | PipelineSpec | Pipeline | Stages,
    query: Query | str,
    documents: Sequence[Document | str],
    ctx: Context | None = None,
    engine: Engine | None = None,
) -> Result:
    """Rerank given documents or texts: `Stages(stages).rerank(query, documents)`."""
    return Stages(stages).rerank(query, documents, ctx, engine)


def candidates(documents: Sequence[Document | str]) -> Corpus:
    """Given documents as a corpus, in their order; raises InvalidInput for an id used twice."""
    as_documents = tuple(
        Document(str(place), document) if isinstance(document, str) else document
        for place, document in enumerate(documents)
    )
    twice = [doc_id for doc_id, n in Counter(doc.id for doc in as_documents).items() if n > 1]
    if twice:
        raise InvalidInput(
            f"{len(twice)} of the ids are used more than once, the first {twice[0]!r}.",
            hint="Give each document an id of its own.",
        )
    return Corpus(CANDIDATES.name, as_documents)
