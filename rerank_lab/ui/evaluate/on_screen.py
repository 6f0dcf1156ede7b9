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
_WRITTEN = "evaluate_written"
"""Key of a box -> what the link says of it, as this session wrote it."""
_SOON_S = 1.0
"""So long a page waits for an answer before it shows how far it is."""


def compared_by(evaluation: Evaluation) -> tuple[str, str]:
    """The measure and the baseline that the link asks for; the first ones without a word."""
    linked = (str(st.query_params.get(name, "")) for name in (PRIMARY, BASELINE))
    return evaluation.compared_by(*linked)


def follow_link(parameter: str, options: Sequence[str], key: str) -> None:
    """Put what the link asks for into a box that is about to be drawn.

    Only where the link is new: the box was not there, or somebody went back in the browser.

    Args:
        parameter: Of the link.
        options: Those of the box; the first one where the link asks for none of them.
        key: Of the box, which must have no default of its own.
    """
    written: dict[str, str] = st.session_state.setdefault(_WRITTEN, {})
    value = str(st.query_params.get(parameter, ""))
    linked = value if value in options else options[0]
    if key not in st.session_state:
        st.session_state[key] = linked
    elif key not in written:
        # Put back by the visitor's way from another page; a link says more.
        if parameter in st.query_params:
            st.session_state[key] = linked
    elif written[key] != linked:
        st.session_state[key] = linked


def link(parameter: str, value: str, options: Sequence[str], key: str) -> None:
    """Put the choice of a box into the link, unless it is the one that needs no word.

    Args:
        parameter: Of the link.
        value: What was chosen.
        options: Those of the box; the first one needs no word.
        key: Of the box.
    """
    st.session_state.setdefault(_WRITTEN, {})[key] = value
    if value != options[0]:
        st.query_params[parameter] = value
    elif parameter in st.query_params:
        del st.query_params[parameter]


def forget_links() -> None:
    """What the link says counts anew: the visitor comes from another page."""
    st.session_state.pop(_WRITTEN, None)


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
