"""Where each document came from and went to: movement against the first stage."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.results import Result, StageResult


@dataclass(frozen=True, slots=True)
class Movement:
    """Ranks before (first stage) and after (last stage); None where it was not in the list."""

    doc_id: str
    before: int | None
    after: int | None

    @property
    def up(self) -> int | None:
        """Ranks gained: 13 for 14 -> 1, negative for a fall, None when one side is missing."""
        if self.before is None or self.after is None:
            return None
        return self.before - self.after

    @property
    def shown(self) -> str:
        """`▲ 13`, `▼ 2`, `=`, or `new`: an arrow and a number, so that colour is not needed."""
        up = self.up
        if up is None:
            return "new"
        return "=" if up == 0 else f"▲ {up}" if up > 0 else f"▼ {-up}"


def moves(result: Result, corpus: Corpus | None = None) -> list[Movement]:
    """Each document of a result, in its final order, with its rank in the first stage.

    `corpus` is needed when its documents were cut into passages. An empty list when the pipeline
    did not finish.
    """
    if result.ranking is None:
        return []
    if result.passages and corpus is None:
        raise InvalidInput(
            "These documents were cut into passages.",
            hint="Give the corpus as well: moves(result, corpus).",
        )
    first = stage_ranking(result.stages[0], corpus)
    before = first.ranks if first else {}
    return [Movement(hit.doc_id, before.get(hit.doc_id), hit.rank) for hit in result.ranking]


def stage_ranking(stage: StageResult, corpus: Corpus | None) -> Ranking | None:
    """A stage's ranking, folded from passages to documents when the corpus was cut."""
    if stage.ranking is None or corpus is None or not corpus.parent_of:
        return stage.ranking
    return stage.ranking.folded(corpus.parent_of)[0]
