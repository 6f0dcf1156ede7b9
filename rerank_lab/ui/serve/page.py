"""The Serve page: what the API of this app does now, and how to serve and call a pipeline."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.server import in_app
from rerank_lab.server.limits import RequestLimits
from rerank_lab.server.mounting import MountedAPI
from rerank_lab.server.pipelines import ServedPipeline
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.navigation import SERVED
from rerank_lab.ui.shared.state import Screen, read_screen
from rerank_lab.views import serve as views
from rerank_lab.views.serve import ServeTarget

_POLL_S = 5.0


def page() -> None:
    """Draw the page."""
    screen = read_screen()
    parts.notices(screen.notices)
    api = in_app.current()
    st.markdown("#### Serve a pipeline as an API")
    if api is None:
        st.markdown(
            "A served pipeline answers the clients that you have: it speaks like the rerank "
            "services of Cohere, Jina, vLLM and TEI. Only the address changes in your code."
        )
    else:
        with st.container(border=True, key="serve_state", gap="xsmall"):
            st.fragment(_state, run_every=_POLL_S)(api)
    spec = _pipeline(screen, api)
    if not spec:
        st.caption("Choose pipelines on Compare first.")
        return
    try:
        _ways(spec, screen, api)
    except LabError as error:
        parts.error_card(error, key="serve")


def _state(api: MountedAPI) -> None:
    """What the API does now; drawn again every few seconds, and nothing else of the page is."""
    status = api.status()
    st.markdown(f"**{parts.literal(views.state_sentence(status.state))}**")
    st.caption(
        views.traffic_sentence(status.requests, status.failed, status.pending, status.capacity)
    )
    for name, spec in status.pipelines.items():
        written = "" if name == spec else f" · `model` {parts.literal(name)}"
        st.markdown(f":material/route: {parts.literal(spec)}{written}")
    keys = "Requests need a key." if status.keys_needed else "Requests need no key."
    corpus = parts.literal(status.corpus)
    searched = f"`/v1/search` searches {corpus}." if corpus else "There is no corpus to search."
    st.caption(f"{keys} {searched}")


def _pipeline(screen: Screen, api: MountedAPI | None) -> str:
    """The pipeline on screen: that of the link, else the first that is served or compared."""
    served = tuple(api.status().pipelines.values()) if api is not None else ()
    linked = str(st.query_params.get(SERVED, ""))
    choices = dict.fromkeys((*([linked] if linked else []), *served, *map(str, screen.pipelines)))
    if not choices:
        return ""
    options = tuple(choices)
    chosen = st.selectbox("Pipeline", options, key="serve_pipeline", format_func=str)
    st.query_params[SERVED] = chosen
    return str(chosen)


def _ways(spec: str, screen: Screen, api: MountedAPI | None) -> None:
    """How to serve it where it is not served here, and how to call it."""
    pipeline = ServedPipeline.of(spec, spec, RequestLimits().documents)
    problems = list(pipeline.problems(None, resources.engine()))
    only_search = pipeline.stages is None
    if problems and not only_search:
        raise problems[0]
    status = api.status() if api is not None else None
    names = {written: name for name, written in status.pipelines.items()} if status else {}
    if status is not None and spec in names:
        target = ServeTarget(names[spec], _own_address(), status.keys_needed)
        searches = bool(status.corpus)
    else:
        target, searches = ServeTarget(spec), only_search
        _start(spec, screen.corpus if only_search else "")
    st.markdown("**Call it**")
    snippets = () if only_search else views.rerank_snippets(target)
    if searches:
        snippets += (views.search_snippet(target, screen.query or _first_query(screen.corpus)),)
    for tab, snippet in zip(st.tabs([one.title for one in snippets]), snippets, strict=True):
        with tab:
            if snippet.needs:
                st.caption(f"`{snippet.needs}`")
            st.code(snippet.code, language=snippet.language, wrap_lines=True)
    if target.key_needed:
        st.caption("Put one of the keys of the server's key file in the place of YOUR-KEY.")
    if not only_search:
        st.caption(
            "Documents that come with a request take the place of the first stage. Scores are "
            "those of the last stage as they are."
        )


def _first_query(name: str) -> str:
    """A query that this corpus can answer, to try."""
    queries = resources.corpus(name).queries
    return queries[0].text if queries else "your question"


def _start(spec: str, corpus: str) -> None:
    st.markdown("**Start it**")
    st.code(views.serve_command(spec, corpus), language="bash", wrap_lines=True)
    if not corpus:
        st.markdown("Or on the port of this app, with the models that it holds:")
        st.code(views.app_command(spec), language="bash", wrap_lines=True)
    st.caption(
        "For other machines add `--host` and `--api-key-file`; without keys whoever reaches the "
        "address may ask."
    )


def _own_address() -> str:
    """Where this page was opened, without its path."""
    url = urlsplit(st.context.url or "")
    return f"{url.scheme}://{url.netloc}" if url.netloc else views.OWN_ADDRESS
