"""Hosted providers and language models on the Models page: keys, prices, a test by one request."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, LabError
from rerank_lab.jobs.table import Job
from rerank_lab.rerankers.hosted.probe import ProviderProbe
from rerank_lab.services.providers import start_test
from rerank_lab.ui.shared import keys, parts, spending
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import watch
from rerank_lab.views import hosted as views
from rerank_lab.views.probes import probe_line

_ROW = 33
_CHOSEN, _TESTS = "provider_chosen", "provider_tests"


def draw() -> None:
    """The section: one row a provider, and what belongs to the chosen one below."""
    st.markdown("#### Hosted providers and language models")
    lines = _lines()
    _table(lines)
    chosen = next((x for x in lines if x.name == st.session_state.get(_CHOSEN)), None)
    if chosen is None:
        st.caption("Choose a row to enter a key for this session, or to test what is set.")
    else:
        _detail(chosen)
        parts.bring_into_sight("provider_card", once_for=chosen.name)
    spending.field()


def choose_for(error: LabError) -> None:
    """Open the provider whose key an error misses, on the next visit of the page. For callbacks."""
    words = f"{error.message} {error.hint}".split()
    names = {word.strip(".,:;") for word in words}
    for line in _lines():
        if names.intersection(field.variable for field in line.keys):
            st.session_state[_CHOSEN] = line.name
            break


def _lines() -> tuple[views.ProviderLine, ...]:
    ctx = Context(secrets=keys.secrets())
    lines = (*views.provider_lines(ctx), *views.endpoint_lines(ctx))
    # By name, not by what is ready: a row must not move when its key is typed.
    return tuple(sorted(lines, key=lambda line: line.title.casefold()))


def _table(lines: tuple[views.ProviderLine, ...]) -> None:
    def choose() -> None:
        rows = st.session_state["provider_list"]["selection"]["rows"]
        st.session_state[_CHOSEN] = lines[rows[0]].name if rows else ""

    st.dataframe(
        {
            "Name": [line.title for line in lines],
            "Key": [line.key_state for line in lines],
            "Model": [line.default_model or "any" for line in lines],
            "Key variable": [line.key_variables for line in lines],
            "Price": [line.price for line in lines],
            "Price as of": [line.price_as_of or "–" for line in lines],
        },
        hide_index=True,
        row_height=_ROW,
        height=_ROW * (len(lines) + 1) + 2,
        on_select=choose,
        selection_mode="single-row",
        key="provider_list",
        column_config={
            "Name": st.column_config.TextColumn("Name", width=155),
            "Key": st.column_config.TextColumn("Key", width=90),
            "Model": st.column_config.TextColumn("Model", width=210),
            "Key variable": st.column_config.TextColumn("Key variable", width=160),
            "Price": st.column_config.TextColumn("Price", width=270),
        },
        alt="Hosted providers and endpoints of language models, and whether a key is set",
    )


def _detail(line: views.ProviderLine) -> None:
    with st.container(border=True, key="provider_card", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{parts.literal(line.title)}**", width="content")
            st.badge("Ready" if line.ready else "Not ready", color="blue" if line.ready else "gray")
            st.caption(f"{parts.literal(line.source)}, {line.as_of}", width="content")
        st.caption(parts.literal(line.summary))
        if line.problem and all(field.state != "missing" for field in line.keys):
            st.markdown(f":material/info: {parts.literal(line.problem)} {parts.literal(line.hint)}")
        for field in line.keys:
            keys.field(field.variable, field.state_words)
        st.caption(
            "A key typed here lives in this browser session only. It is not saved, shown again, "
            "put into a link or a log, nor used for anybody else; it ends with the session."
        )
        model, address = _where(line)
        if line.models:
            known = "; ".join(f"{model.id}: {model.price}" for model in line.models)
            st.caption(parts.literal(f"Known here: {known}. Any other name can be typed."))
        st.button(
            "Test",
            key="test_provider",
            icon=":material/bolt:",
            on_click=_test,
            args=(line, model, address),
            help="Sends one small request with two sentences. The provider may bill it.",
        )
        _tested(line)


def _where(line: views.ProviderLine) -> tuple[str, str]:
    """The model and the address that a test asks."""
    with st.container(horizontal=True):
        model = st.text_input(
            "Model", value=line.default_model, key=f"model_of_{line.name}", autocomplete="off"
        )
        address = st.text_input(
            "Base URL",
            key=f"address_of_{line.name}",
            placeholder=line.address or "Address of your server",
            help="Another address than the provider's own. A key typed above is sent there.",
            autocomplete="off",
        )
    return model, address


def _test(line: views.ProviderLine, model: str, address: str) -> None:
    tests: dict[str, Job[ProviderProbe]] = st.session_state.setdefault(_TESTS, {})
    tests[line.name] = start_test(
        line.name, line.title, lambda: views.testable(line, model, address), session()
    )


def _tested(line: views.ProviderLine) -> None:
    job: Job[ProviderProbe] | None = st.session_state.get(_TESTS, {}).get(line.name)
    if job is None:
        return
    if not job.state.ended and not job.finished.wait(0.5):
        watch(job)
    elif job.error is not None:
        parts.error_card(job.error, key="provider_test")
    else:
        _result(job.wait())


def _result(outcome: ProviderProbe) -> None:
    if not outcome.works:
        error: LabError = BackendError(outcome.message, hint=outcome.hint)
        parts.error_card(error, key="provider_test")
        return
    icon = ":material/check_circle:" if outcome.sensible else ":material/warning:"
    st.markdown(f"{icon} {parts.literal(outcome.message)} {parts.literal(outcome.hint)}")
    st.caption(parts.literal(probe_line(outcome)))
