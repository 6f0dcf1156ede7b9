"""The banner that says what changed since the results on screen came in."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.services.changes import changes_since
from rerank_lab.services.qrels import source_of
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views.changes import changes_sentences

_CHECKED_S = 60


def draw(evaluation: Evaluation) -> None:
    """Nothing where everything is as it was."""
    corpus = _corpus(evaluation)
    stamp = "" if corpus is None else f"{corpus.content_hash} {corpus.basis.digest} {id(corpus)}"
    with suppress(LabError):
        sentences = _sentences(evaluation, corpus, evaluation.id, len(evaluation.cells), stamp)
        if sentences:
            st.warning(
                "**Since these results came in:** "
                + parts.literal(" ".join(sentences))
                + " Evaluate again to see what it makes of them; a copy keeps these.",
                icon=":material/history:",
            )


def _corpus(evaluation: Evaluation) -> Corpus | None:
    """The corpus of that name, with the judgments that count by the design's basis."""
    design = evaluation.design
    try:
        return resources.judged_corpus(design.corpus, source=source_of(design.basis))
    except LabError:
        return None


@st.cache_data(max_entries=16, ttl=_CHECKED_S, show_spinner=False)
def _sentences(
    _evaluation: Evaluation, _corpus: Corpus | None, experiment_id: str, cells: int, stamp: str
) -> tuple[str, ...]:
    return changes_sentences(changes_since(_evaluation.design, _corpus, resources.engine()))
