"""The Models page: what can run here and now, what cannot, why, and what to do about it."""

from __future__ import annotations

import streamlit as st

from rerank_lab.components import registry
from rerank_lab.components.base import KINDS
from rerank_lab.components.catalogue import catalogue
from rerank_lab.services.models import model_memory, model_states
from rerank_lab.ui.models import detail as model_detail
from rerank_lab.ui.models import health, providers
from rerank_lab.ui.shared import parts, resources, state
from rerank_lab.views import models as views

ALL, RERANKERS, FIRST_STAGES = "All", "Rerankers", "First stages"
_MEMORY_POLL_S = 3.0
_ROLES = {RERANKERS: "reranker", FIRST_STAGES: "retriever"}


def page() -> None:
    """Draw the page."""
    parts.notices(state.read_screen().notices)
    lines = views.model_lines(catalogue(), model_states(), model_memory().loaded)
    st.markdown(f"#### {views.models_sentence(lines)}")
    _broken()
    chosen = st.segmented_control(
        "Role",
        (ALL, RERANKERS, FIRST_STAGES),
        default=ALL,
        required=True,
        key="role",
        bind="query-params",
        label_visibility="collapsed",
    )
    role = _ROLES.get(str(chosen), "")
    _table(tuple(line for line in lines if not role or role in line.roles))
    providers.draw()
    _memory()
    _components()


def _table(lines: tuple[views.CatalogueLine, ...]) -> None:
    badges = {
        line.name: health.known(line.spec) if line.spec is not None else None for line in lines
    }

    def choose() -> None:
        rows = st.session_state["model_list"]["selection"]["rows"]
        st.session_state["model_chosen"] = lines[rows[0]].name if rows else ""

    above = st.container(key="model_above")
    st.dataframe(
        {
            "Name": [line.name for line in lines],
            "State": [line.state_words for line in lines],
            "Health": [views.health_words(badges[line.name], line) for line in lines],
            "Use": [", ".join(views.ROLES[role] for role in line.roles) for line in lines],
            "Size": [line.size for line in lines],
            "Parameters": [line.parameters for line in lines],
            "Licence": [line.licence for line in lines],
            "Languages": [line.languages for line in lines],
            "Max tokens": [line.max_length for line in lines],
            "Weights": [line.weights for line in lines],
        },
        hide_index=True,
        height="content",
        on_select=choose,
        selection_mode="single-row",
        key="model_list",
        column_config={
            "Name": st.column_config.TextColumn("Name", width=190),
            "Max tokens": st.column_config.NumberColumn(format="localized"),
        },
        alt="Models of the catalogue and whether they run here",
    )
    chosen = next((x for x in lines if x.name == st.session_state.get("model_chosen")), None)
    if chosen is None:
        st.caption(
            "Choose a row for what is known of a model, its health check and how to get it. Any "
            'other hub id or folder works too: cross-encoder(model="owner/name").'
        )
        return
    with above:
        model_detail.draw(chosen, badges[chosen.name])
        parts.bring_into_sight("model_card", once_for=chosen.name)


def _memory() -> None:
    st.markdown("#### In memory now")
    at_work = any(not job.state.ended for job in resources.jobs().jobs())
    st.fragment(_memory_rows, run_every=_MEMORY_POLL_S if at_work else None)()


def _memory_rows() -> None:
    memory = model_memory()
    st.caption(views.memory_sentence(memory.loaded, memory.budget))
    if not memory.loaded:
        return
    st.progress(views.memory_share(memory.loaded, memory.budget))
    rows = views.loaded_lines(memory.loaded)
    st.dataframe(
        {
            "Model": [row.name for row in rows],
            "Runs with": [row.backend for row in rows],
            "Memory": [row.size for row in rows],
            "Now": [row.use for row in rows],
        },
        hide_index=True,
        alt="Models in memory",
    )


def _all_components() -> tuple[views.ComponentLine, ...]:
    components = [row for kind in KINDS for row in registry.infos(kind)]
    return views.component_lines(components)


def _broken() -> None:
    for line in _all_components():
        if line.problem:
            with st.container(border=True, key=f"broken_{line.kind}_{line.name}", gap="xsmall"):
                st.markdown(
                    f":red[:material/extension_off:] **{parts.literal(line.name)}** "
                    f"({line.kind}) cannot be loaded."
                )
                st.markdown(parts.literal(line.problem))
                st.caption("Update or remove the package that provides it; all others work.")
                with st.expander("Details"):
                    st.code(line.details, language=None, wrap_lines=True)


def _components() -> None:
    st.markdown("#### Installed components")
    lines = [line for line in _all_components() if not line.problem]
    st.dataframe(
        {
            "Name": [line.name for line in lines],
            "Kind": [views.KINDS[line.kind] for line in lines],
            "What it does": [line.summary for line in lines],
            "Score": [line.scale for line in lines],
            "Options": [line.options for line in lines],
            "Needs": [line.needs or "nothing more" for line in lines],
        },
        hide_index=True,
        height="content",
        column_config={
            "What it does": st.column_config.TextColumn("What it does", width="large"),
        },
        alt="Installed retrievers, fusions and rerankers",
    )
