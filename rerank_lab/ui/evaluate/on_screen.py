"""What the results on screen are compared by, kept in the link, and what stands behind them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

import streamlit as st

from rerank_lab.charts.figures import LIGHT
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.resolution import at_depth
from rerank_lab.services.kept_rankings import KeptRankings
from rerank_lab.ui.shared import resources
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import come_back, left, watch
from rerank_lab.views.labels import pipeline_colours

R = TypeVar("R")

PRIMARY, BASELINE = "by", "baseline"
"""The parameters of the link for the measure and the pipeline that others are compared with."""
_SOON_S = 1.0
"""So long a page waits for an answer before it shows how far it is."""


def compared_by(evaluation: Evaluation) -> tuple[str, str]:
    """The measure and the baseline that the link asks for; the first ones without a word."""
    linked = (str(st.query_params.get(name, "")) for name in (PRIMARY, BASELINE))
    return evaluation.compared_by(*linked)


def linked_place(parameter: str, options: Sequence[str]) -> int:
    """The place of what the link asks for; the first where it asks for nothing of these."""
    value = st.query_params.get(parameter, "")
    return options.index(value) if value in options else 0


def link(parameter: str, value: str, options: Sequence[str]) -> None:
    """Put a choice into the link, unless it is the one that needs no word."""
    if value != options[0]:
        st.query_params[parameter] = value
    elif parameter in st.query_params:
        del st.query_params[parameter]


def colours_of(evaluation: Evaluation, screen: Screen) -> dict[str, int]:
    """The colour number of each pipeline, the same as in the table of results."""
    colours: dict[PipelineSpec, int] = st.session_state.get("colours", {})
    known = {str(at_depth(spec, screen.depth)): slot for spec, slot in colours.items()}
    return pipeline_colours(evaluation.design.pipelines, known, len(LIGHT.pipelines))


def colours(evaluation: Evaluation, screen: Screen) -> dict[str, int]:
    """The colour number of each pipeline, that of the pipelines above where it is one of them."""
    above: dict[PipelineSpec, int] = st.session_state.get("colours", {})
    known = {str(at_depth(spec, screen.depth)): above[spec]
             for spec in screen.pipelines if spec in above}  # fmt: skip
    return pipeline_colours(evaluation.design.pipelines, known, len(LIGHT.pipelines))


def corpus_of(evaluation: Evaluation) -> Corpus | None:
    """The corpus with the judgments that count now, where it is here as it was; else None."""
    with suppress(LabError):
        corpus = resources.judged_corpus(evaluation.design.corpus)
        if corpus.content_hash == evaluation.design.corpus_hash:
            return corpus
    return None


def kept_rankings(evaluation: Evaluation) -> KeptRankings:
    """The results on screen, to be asked by this visitor."""
    return KeptRankings(evaluation, stamp(evaluation), session())


def answer(job: Job[R]) -> tuple[R] | None:
    """The result of a job that is done, or soon will be; else None, and its card is drawn.

    Raises LabError when the job failed.
    """
    if job.key in left() and not job.state.ended:
        resources.jobs().leave(job.key, resources.waiter())
        st.caption(f"{job.name}: cancelled.")
        key = f"again_{job.key.digest}"
        st.button("Begin again", key=key, on_click=come_back, args=(job.key,))
        return None
    if job.finished.wait(_SOON_S):
        return (job.wait(),)
    watch(job)
    return None


def stamp(evaluation: Evaluation) -> str:
    """Changes with everything that a computation over these results could depend on."""
    columns = zlib.crc32(repr([query.meta for query in evaluation.design.queries]).encode())
    measures = ",".join(evaluation.design.measures)
    return f"{evaluation.id}:{len(evaluation.cells)}:{columns}:{measures}"
