"""The pipeline to take as code, requests and golden cases, to save from the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.decision.choice import PipelineDecision
from rerank_lab.decision.shipping.shipment import Shipment
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.shipping import shipments
from rerank_lab.ui.shared.navigation import SERVE_PAGE, SERVED, go_to
from rerank_lab.ui.shared.parts import literal


def draw(
    decision: PipelineDecision,
    evaluation: Evaluation,
    corpus: Corpus | None,
    names: Mapping[str, str],
) -> None:
    """A button for each form that exists for the pipeline, and why the others do not.

    Args:
        decision: Nothing is drawn where no pipeline remains.
        evaluation: That it was made from.
        corpus: Its documents, where they are here.
        names: How pipelines are called on the page, by spec.
    """
    spec = decision.pipeline
    forms = _forms(spec, evaluation)
    if not forms:
        return
    st.markdown(f"**Ship {literal(names[spec])}**")
    if decision.verdict != "recommended":
        st.caption("It has the best mean so far; the data cannot decide yet.")
    with st.container(horizontal=True, key="choose_ship"):
        for number, one in enumerate(forms):
            if one.files:
                file = one.download()
                st.download_button(
                    one.title,
                    _content(spec, number, evaluation, corpus),
                    file_name=file.name,
                    mime=file.mime,
                    key=f"choose_{one.form}",
                    help=one.sentence,
                    icon=":material/download:",
                    on_click="ignore",
                )
        if st.button(
            "Serve it",
            key="choose_serve",
            icon=":material/api:",
            help="As an API that the clients you have can call: commands and code.",
        ):
            go_to(SERVE_PAGE, **{SERVED: spec})
    absent = [one for one in forms if one.absence]
    if absent:
        with st.expander("Forms that this pipeline does not have"):
            for one in absent:
                st.markdown(f"{one.title}: {literal(one.absence)}")


def _forms(spec: str, evaluation: Evaluation) -> tuple[Shipment, ...]:
    """Every form of a pipeline of this lab; () for rankings of another system, or no pipeline."""
    try:
        pipeline = Pipeline(spec)
    except LabError:
        return ()
    if any(node.name == "run" for node, _ in pipeline.leaves):
        return ()
    return shipments(pipeline.spec, evaluation)


def _content(
    spec: str, number: int, evaluation: Evaluation, corpus: Corpus | None
) -> Callable[[], bytes]:
    """What writes a form, with the documents that golden cases keep, once it is wanted."""

    def written() -> bytes:
        form = shipments(Pipeline(spec).spec, evaluation, corpus)[number]
        return form.download().content

    return written
