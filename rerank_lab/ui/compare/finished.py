"""The views of finished comparisons, each made once for everybody who looks at it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rerank_lab.views.compare import CompareOptions, CompareView, PipelineOutcome, compare
from rerank_lab.views.topic import Topic

_KEPT = 32


def view_of(
    topic: Topic, outcomes: Sequence[PipelineOutcome], options: CompareOptions
) -> CompareView:
    """As `compare`; kept when every pipeline has its result, for these same results."""
    if any(outcome.result is None or outcome.error for outcome in outcomes):
        return compare(topic, outcomes, options)
    # Corpus and results are values that are never changed, and the view holds them: as long as it
    # is kept, no others can have their identities.
    identities = (id(topic.corpus), *(id(outcome.result) for outcome in outcomes))
    texts = (topic.query.id, topic.query.text, *(str(outcome.spec) for outcome in outcomes))
    looks = (options.show, options.pin, options.rarity is None)
    return _view(identities, texts, looks, topic, tuple(outcomes), options)


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def _view(
    identities: tuple[int, ...],
    texts: tuple[str, ...],
    looks: tuple[int, str, bool],
    _topic: Topic,
    _outcomes: tuple[PipelineOutcome, ...],
    _options: CompareOptions,
) -> CompareView:
    return compare(_topic, _outcomes, _options)
