"""What is asked: one query of one corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rerank_lab.core.types import Query
from rerank_lab.corpora.corpus import Corpus


@dataclass(frozen=True)
class Topic:
    """One query put to one corpus, with what is judged for it."""

    query: Query
    corpus: Corpus

    @classmethod
    def of(cls, text: str, corpus: Corpus) -> Topic:
        """The corpus' own query of that text (with its judgments) if there is one, else a new."""
        flat = " ".join(text.split())
        own = (query for query in corpus.queries if " ".join(query.text.split()) == flat)
        return cls(next(own, Query.of(flat)), corpus)

    @property
    def grades(self) -> Mapping[str, int]:
        """Document id -> grade; empty when nothing is judged for this query."""
        return self.corpus.qrels.get(self.query.id, {})

    @cached_property
    def language(self) -> str:
        """The language to read words in: the corpus' one language, or "" when it has several."""
        languages = self.corpus.meta.get("languages") or ()
        if isinstance(languages, Mapping):
            languages = tuple(languages)
        if not languages:
            return "en"
        return str(languages[0]) if len(languages) == 1 else ""
