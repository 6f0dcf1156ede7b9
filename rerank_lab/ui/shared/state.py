"""What is on the screen, kept in the URL: widgets drawn by the frame on every page.

Streamlit drops a bound parameter as soon as its widget is not drawn, so the frame draws all of them
on all pages; those without a place of their own sit in a hidden container.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from rerank_lab.components.registry import resolve
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import JudgmentBasis
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.services.presets import (
    DEFAULT_CORPUS,
    DEFAULT_DEPTH,
    DEFAULT_PIPELINES,
    DEFAULT_SHOW,
    DEPTHS,
    MAX_PIPELINES,
    SHOWS,
    default_pipelines,
)
from rerank_lab.services.qrels import JudgmentSource
from rerank_lab.services.query_choice import QueryChoice
from rerank_lab.ui.shared import resources
from rerank_lab.views import judgment_choice as choices
from rerank_lab.views.judgment_basis import basis_note
from rerank_lab.views.own_documents import EXCLUDES, LABEL, OWN_DOCUMENT, OwnDocument
from rerank_lab.views.present import ALL, focus_of

MAX_QUERY_CHARS = 2000
OWN_QUERIES, ALL_TAGS = "The corpus' own", "All"


_EMPTIED = "p_emptied"
"""In the session: whether the visitor took the last pipeline away."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Everything that identifies what is on screen. `pipelines` are canonical and exist."""

    corpus: str
    query: str
    pipelines: tuple[PipelineSpec, ...]
    depth: int
    show: int
    pin: str
    doc: str
    notices: tuple[str, ...] = ()
    saved: str = ""
    """The id of a saved comparison that is shown again where it fits, "" for none."""
    present: bool = False
    """Compare is one screen for an audience."""
    focus: int = ALL
    """The pipeline that an audience sees alone, counted from 1; ALL for all of them."""
    exclude_identical: bool | None = None
    """Whether queries leave out the document with their own id; None decides by the texts."""
    judgments: JudgmentSource | None = None
    """Which judgments count; None for the default."""
    queries: QueryChoice | None = None
    """Which query set is asked; None for the corpus' own queries."""


def corpus_select() -> str | None:
    """The corpus, bound to the URL; None when there is none at all."""
    names = [entry.name for entry in resources.corpora()]
    index = names.index(DEFAULT_CORPUS) if DEFAULT_CORPUS in names else 0
    return st.selectbox(
        "Corpus",
        names,
        index=index if names else None,
        key="corpus",
        bind="query-params",
        placeholder="No corpus yet",
    )


def own_document_select(name: str) -> None:
    """Whether queries may find the document of their own id, where there are such; in the URL."""
    own_documents = resources.own_documents(name)
    if own_documents.queries:
        choice = st.selectbox(
            LABEL, OWN_DOCUMENT, key="own", bind="query-params", help=own_documents.about
        )
        if choice == OWN_DOCUMENT[0]:
            st.caption(own_documents.by_text)


def query_set_select(name: str) -> None:
    """Whose queries are asked, where the lab has query sets of this corpus; in the URL."""
    sets = {one.name: one for one in resources.query_sets(name)}
    if not sets:
        return
    chosen = st.selectbox(
        "Query set", [OWN_QUERIES, *sets], key="query_set", bind="query-params",
        help="Whose queries Compare, Evaluate, Label, Arena, Calibrate and Train ask.",
    )  # fmt: skip
    tags = sorted({tag for query in sets[chosen].queries for tag in query.tags} if chosen in sets
                  else ())  # fmt: skip
    if tags:
        st.selectbox("Tag", [ALL_TAGS, *tags], key="query_tag", bind="query-params")


def set_query_set(name: str) -> None:
    """Ask the queries of this set. Call it from a callback only."""
    st.session_state["query_set"] = name
    st.session_state.pop("query_tag", None)


def query_choice() -> QueryChoice | None:
    """What the choice at the side means; None for the corpus' own queries."""
    name = st.session_state.get("query_set") or OWN_QUERIES
    if name == OWN_QUERIES:
        return None
    tag = st.session_state.get("query_tag") or ALL_TAGS
    return QueryChoice(str(name), "" if tag == ALL_TAGS else str(tag))


def judgment_select(name: str) -> None:
    """Which judgments count, where the lab has labels of this corpus; in the URL."""
    labels = resources.labels(name)
    if not (labels.usable or labels.stale):
        return
    st.selectbox(
        choices.LABEL, choices.CHOICES, key="judgments", bind="query-params", help=choices.ABOUT
    )
    if len(labels.judges) > 1:
        # Links hold what a list shows, so that policies are shown by their names.
        st.selectbox(
            choices.POLICY_LABEL,
            choices.POLICIES,
            key="policy",
            bind="query-params",
            help=choices.ABOUT_POLICIES,
        )
    if labels.llm_judges:
        st.multiselect(
            "LLM judges",
            labels.llm_judges,
            key="llm",
            bind="query-params",
            help="Their labels count only where no human has judged.",
        )
    basis = resources.judged_corpus(name, source=judgment_source()).basis
    st.caption(basis_note(basis))


def judgment_source() -> JudgmentSource | None:
    """What the choice at the side means; None for the default."""
    state = st.session_state
    return choices.source_of_choice(
        state.get("judgments"), state.get("policy"), state.get("llm", ())
    )


def set_judgments(name: str, basis: JudgmentBasis) -> None:
    """Let those judgments of a corpus count that did there. Call it from a callback only."""
    if not (basis.with_labels or resources.labels(name).by_people):
        return  # there is no choice yet, and none is to wait for the first label
    st.session_state["judgments"] = choices.choice_of_basis(basis)
    st.session_state["policy"] = basis.policy or choices.POLICIES[0]
    st.session_state["llm"] = list(basis.llm_judges)


def set_own_document(choice: OwnDocument) -> None:
    """Leave own documents out or keep them. Call it from a callback only."""
    st.session_state["own"] = choice


def hidden_widgets() -> None:
    """Bound state whose visible widgets, if any, have no one place: pipelines, sizes, documents."""
    live = resources.is_live(st.session_state.get("corpus"))
    defaults = list(default_pipelines(live=live))
    if "p_next" in st.session_state:
        st.session_state["p"] = st.session_state.pop("p_next")
    elif _no_pipelines_named():
        st.session_state["p"] = defaults
    elif st.session_state.get("p") == list(default_pipelines(live=not live)):
        st.session_state["p"] = defaults  # nobody chose those of the corpus before
    with st.container(key="url_state"):
        st.multiselect(
            "Pipelines",
            DEFAULT_PIPELINES,
            key="p",
            bind="query-params",
            accept_new_options=True,
        )
        st.selectbox(
            "Candidates",
            DEPTHS,
            index=DEPTHS.index(DEFAULT_DEPTH),
            key="depth",
            bind="query-params",
        )
        st.selectbox(
            "Cards", SHOWS, index=SHOWS.index(DEFAULT_SHOW), key="show", bind="query-params"
        )
        st.text_input("Pinned document", key="pin", bind="query-params")
        st.text_input("Opened document", key="doc", bind="query-params")
        st.text_input("Saved comparison", key="saved", bind="query-params")
        st.text_input("Presentation", key="present", bind="query-params")
        st.text_input("Pipeline in focus", key="focus", bind="query-params")
        st.text_input("Step of the tour", key="tour", bind="query-params")
        st.text_input("Evaluation that led here", key="from", bind="query-params")


def _no_pipelines_named() -> bool:
    """Whether the link names no pipelines, and nobody took the last one away.

    Going back to such a link empties the bound widget, where opening it shows the defaults.
    """
    if st.session_state.get("p") or st.query_params.get_all("p"):
        return False
    return "p" not in st.session_state or not st.session_state.get(_EMPTIED, False)


def query_box() -> None:
    """The query with its button; Enter submits."""
    with (
        st.form("ask", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input(
            "Query",
            key="q",
            bind="query-params",
            type="search",
            placeholder="Ask something of this corpus",
            label_visibility="collapsed",
        )
        st.form_submit_button("Compare", type="primary", key="compare")


def sample_select(queries: Sequence[Query]) -> None:
    """The corpus' own queries, to pick one; "" of the select means none picked."""
    texts = list(dict.fromkeys(query.text for query in queries))[:500]
    st.selectbox(
        "Sample queries",
        texts,
        index=None,
        key="sample",
        placeholder="Sample queries",
        label_visibility="collapsed",
        on_change=_sample_picked,
        width=200,
    )


def _sample_picked() -> None:
    text = st.session_state.get("sample")
    if text:
        set_query(str(text))
        st.session_state["sample"] = None


def size_boxes() -> None:
    """How many candidates, and how many cards a column shows."""
    depth_box()
    show_box()


def depth_box() -> None:
    """How many candidates a first stage hands over."""
    _size_box(
        "Depth",
        DEPTHS,
        "depth",
        "Candidates that a first stage hands over, unless the pipeline says its own number.",
    )


def show_box() -> None:
    """How many cards a column shows."""
    _size_box("Show", SHOWS, "show", "Documents shown in each column.")


def _size_box(label: str, sizes: Sequence[int], key: str, about: str) -> None:
    """A box for the bound widget of this key, which is drawn elsewhere: on all pages in one place.

    A bound widget that moves from page to page leaves the URL and comes back, and each time the
    browser's history grows by one entry that Back has to pass.
    """
    box = f"{key}_box"
    st.session_state[box] = st.session_state[key]
    st.selectbox(
        label, sizes, key=box, width=100, help=about, on_change=_size_chosen, args=(key, box)
    )


def _size_chosen(key: str, box: str) -> None:
    st.session_state[key] = st.session_state[box]


def read_screen() -> Screen:
    """What the widgets say, checked. What cannot be used is left out, with a notice."""
    state = st.session_state
    notices = list(_url_notices())
    specs, wrong = checked_pipelines(state.get("p") or ())
    notices += wrong
    return Screen(
        corpus=str(state.get("corpus") or ""),
        query=flat(str(state.get("q") or "")),
        pipelines=specs,
        depth=_one_of(state.get("depth"), DEPTHS, DEFAULT_DEPTH),
        show=_one_of(state.get("show"), SHOWS, DEFAULT_SHOW),
        pin=str(state.get("pin") or ""),
        doc=str(state.get("doc") or ""),
        notices=tuple(notices),
        saved=str(state.get("saved") or ""),
        present=presenting(),
        focus=focus_of(str(state.get("focus") or ""), len(specs)),
        exclude_identical=EXCLUDES.get(state.get("own") or OWN_DOCUMENT[0]),
        judgments=judgment_source(),
        queries=query_choice(),
    )


def presenting() -> bool:
    """Whether Compare is one screen for an audience; known before any widget is drawn."""
    link = st.query_params.get("present", "")
    return str(st.session_state.get("present", link)) == "1"


def flat(query: str) -> str:
    """A query as it is asked here: on one line, and not endless."""
    return " ".join(query.split())[:MAX_QUERY_CHARS]


def checked_pipelines(specs: Sequence[str]) -> tuple[tuple[PipelineSpec, ...], list[str]]:
    """Canonical, distinct specs in their order, and why the others were left out."""
    usable: dict[PipelineSpec, None] = {}
    notices: list[str] = []
    for spec in specs:
        try:
            usable[resolve(spec)] = None
        except InvalidInput as error:
            notices.append(f"A pipeline of this link was left out. {error.message}")
    if len(usable) > MAX_PIPELINES:
        notices.append(f"Only the first {MAX_PIPELINES} pipelines of this link are shown.")
    return tuple(usable)[:MAX_PIPELINES], notices


def set_pipelines(specs: Iterable[PipelineSpec | str]) -> None:
    """Show these pipelines. Call it from a callback only: the widget is already drawn later."""
    st.session_state["p"] = _spec_strings(specs)
    st.session_state[_EMPTIED] = not st.session_state["p"]


def next_pipelines(specs: Iterable[PipelineSpec | str]) -> None:
    """Show these pipelines from the next run on; for code that runs after the widgets."""
    st.session_state["p_next"] = _spec_strings(specs)


def _spec_strings(specs: Iterable[PipelineSpec | str]) -> list[str]:
    """As the URL holds them: each once, and no more than fit."""
    return list(dict.fromkeys(map(str, specs)))[:MAX_PIPELINES]


def set_query(text: str) -> None:
    """Ask this query. Call it from a callback only."""
    st.session_state["q"] = text
    st.session_state["doc"] = st.session_state["pin"] = ""


def remember_link() -> None:
    """Note what the link that opened this session asked for, before any widget corrects it."""
    if "link" not in st.session_state:
        st.session_state["link"] = {key: st.query_params.get(key, "") for key in _DEFAULTS}


_DEFAULTS = {"corpus": DEFAULT_CORPUS, "depth": DEFAULT_DEPTH, "show": DEFAULT_SHOW}


def _url_notices() -> list[str]:
    """What of the link could not be had; forgotten as soon as the visitor goes on."""
    link = st.session_state.get("link", {})
    if st.session_state.get("link_shown", _shown_now()) != _shown_now():
        return []
    known = {
        "corpus": [entry.name for entry in resources.corpora()],
        "depth": [str(depth) for depth in DEPTHS],
        "show": [str(show) for show in SHOWS],
    }
    return [
        f"This link asks for {key} {link[key]!r}, which is not here. "
        f"You see {key} {st.session_state.get(key) or _DEFAULTS[key]}."
        for key, values in known.items()
        if link.get(key) and link[key] not in values
    ]


def settle_link() -> None:
    """Note what the link came to, once all widgets are drawn. The frame calls it last."""
    st.session_state.setdefault("link_shown", _shown_now())


def _shown_now() -> list[object]:
    return [st.session_state.get(key) for key in ("q", *_DEFAULTS)]


def _one_of(value: object, allowed: tuple[int, ...], default: int) -> int:
    return value if isinstance(value, int) and value in allowed else default
