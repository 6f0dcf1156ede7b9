"""Edit one pipeline: its spec as text, and the same as a form made from its components' options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Literal, Node, PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.rerankers.llm.base import LLMReranker
from rerank_lab.services.compare import llm_reranker_of
from rerank_lab.services.cost_estimates import query_estimates
from rerank_lab.ui.compare import prompts
from rerank_lab.ui.shared import keys, parts, resources, state
from rerank_lab.views import choices, form, hosted

_TEXT = "editor_text"
_KEPT = "editor_kept"
"""The same text, not forgotten when another dialog stands in the place of the field."""
_VERSION = "editor_version"
_OPEN = "editor_open"
_EDITED = "editor_pipeline"
"""The pipeline on screen that is edited, None for a new one."""


def edit(spec: PipelineSpec | None) -> None:
    """Open the editor for a pipeline on screen, or with None for a new one. For callbacks."""
    st.session_state[_OPEN] = True
    st.session_state[_EDITED] = spec
    st.session_state["doc"] = ""
    first = "live" if resources.is_live(st.session_state.get("corpus")) else "bm25"
    st.session_state[_TEXT] = str(spec or f"{first} >> ms-marco-minilm-l12")
    _new_version()


def draw(screen: state.Screen) -> None:
    """The editor, when it is open; a run of the whole page in between does not close it."""
    if not is_open():
        return
    asking = _edited() if prompts.is_open() else None
    if asking is not None:
        prompts.draw(screen, asking, _use_prompt)
    else:
        prompts.close()
        _dialog(screen, st.session_state[_EDITED])


def is_open() -> bool:
    """Whether the editor is to be drawn."""
    return bool(st.session_state.get(_OPEN))


def close() -> None:
    """Draw the editor no longer."""
    st.session_state[_OPEN] = False
    prompts.close()


def _edited() -> LLMReranker | None:
    """The stage whose prompt is edited, as the pipeline's text has it now."""
    spec, _ = form.parsed(st.session_state[_KEPT])
    path = st.session_state[prompts.OPEN].path
    nodes = {s.path: s.node for s in form.sections(spec)} if spec is not None else {}
    return llm_reranker_of(nodes[path], resources.engine()) if path in nodes else None


def _use_prompt(path: form.Path, name: str) -> None:
    spec, _ = form.parsed(st.session_state[_KEPT])
    if spec is not None:
        _try(lambda: form.with_option(spec, path, "prompt", name))
        _new_version()


@st.dialog("Pipeline", width="large", icon=":material/tune:", on_dismiss=close)
def _dialog(screen: state.Screen, old: PipelineSpec | None) -> None:
    parts.said()
    if _TEXT not in st.session_state:
        st.session_state[_TEXT] = st.session_state[_KEPT]
    st.text_area(
        "Spec",
        key=_TEXT,
        height=80,
        on_change=_new_version,
        help="First stage, then rerankers joined with >>. Options in brackets.",
    )
    st.session_state[_KEPT] = st.session_state[_TEXT]
    spec, error = form.parsed(st.session_state[_TEXT])
    if error is not None:
        parts.error_card(error, key="editor")
    if spec is not None:
        _first_stage(spec)
        for section in form.sections(spec, screen.depth):
            _section(spec, section)
        _add_stage(can_fuse=len(spec.nodes) > 1)
        _estimate(spec, screen)
    with st.container(horizontal=True, horizontal_alignment="right"):
        pressed = st.button(
            "Use this pipeline", type="primary", key="editor_use", disabled=spec is None
        )
        if pressed and spec is not None:
            specs = [spec if other == old else other for other in screen.pipelines]
            state.next_pipelines(specs if old in screen.pipelines else [*specs, spec])
            close()
            st.rerun()


def _estimate(spec: PipelineSpec, screen: state.Screen) -> None:
    """What a hosted stage would send and cost, before anything is sent."""
    try:
        corpus = resources.corpus(screen.corpus, screen.exclude_identical)
    except LabError:
        return
    query = Query.of(screen.query or "a query of a few words")
    words = hosted.editor_words(
        query_estimates(spec, query, corpus, screen.depth, resources.engine())
    )
    if words:
        st.caption(f":material/payments: {parts.literal(words)}")


def _section(spec: PipelineSpec, section: form.Section) -> None:
    name = ".".join(map(str, section.path))
    version = st.session_state[_VERSION]
    nested = len(section.path) > 1
    with st.container(border=True, key=f"section_{name.replace('.', '_')}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"{'↳ ' if nested else ''}**{parts.literal(section.title)}** "
                f":gray[{parts.literal(section.summary)}]"
            )
            if section.path[0] and not nested:
                st.button(
                    "Remove stage",
                    key=f"drop_{version}_{name}",
                    type="tertiary",
                    on_click=_drop,
                    args=(section.path[0],),
                )
        with st.grid("auto", min_column_width=200):
            for field in section.fields:
                _field(field, section.node, f"f_{version}_{name}_{field.param.name}")


def _field(field: form.Field, node: Node, key: str) -> None:
    param = field.param
    value: Literal | None = field.value
    label = field.label
    common: dict[str, Any] = {
        "key": key,
        "help": parts.literal(param.help),
        "on_change": _changed,
        "args": (field, key),
    }
    if field.automatic:
        # An empty box that says what will happen, not a number that means something else. A number
        # goes in by the state: a box with a number as its default can never be emptied.
        if field.chosen and key not in st.session_state:
            st.session_state[key] = value
        value = None
        common["placeholder"] = field.automatic
    asking = llm_reranker_of(node, resources.engine()) if param.name == "prompt" else None
    if asking is not None:
        prompts.field(asking, field.path, key, common)
    elif param.choices:
        options = list(param.choices)
        st.selectbox(label, options, index=options.index(field.value), **common)
    elif param.type is bool:
        st.toggle(label, value=bool(value), **common)
    elif param.type is int:
        low = None if param.low is None else int(param.low)
        high = None if param.high is None else int(param.high)
        st.number_input(label, low, high, None if value is None else int(value), step=1, **common)
    elif param.type is float:
        st.number_input(
            label,
            param.low,
            param.high,
            None if value is None else float(value),
            step=0.05,
            **common,
        )
    else:
        st.text_input(label, value=str(value), **common)


def _first_stage(spec: PipelineSpec) -> None:
    names = choices.first_stages()
    key = f"editor_first_{st.session_state[_VERSION]}"
    current = spec.source.name
    st.selectbox(
        "First stage",
        list(names),
        index=list(names).index(current) if current in names else None,
        format_func=lambda name: f"{name}: {names[name]}",
        key=key,
        placeholder="Choose another one",
        help="Another first stage; the rerankers after it stay.",
        on_change=_add,
        args=(key, form.with_first_stage),
    )


def _add_stage(*, can_fuse: bool) -> None:
    groups = choices.reranker_groups(Context(secrets=keys.secrets()))
    version = st.session_state[_VERSION]
    group = st.segmented_control(
        "More rerankers",
        list(groups),
        default=next(iter(groups)),
        required=True,
        format_func=lambda one: f"{one} ({len(groups[one])})",
        key="editor_group",
    )
    names = groups.get(str(group), {})
    with st.grid("auto", min_column_width=240):
        st.selectbox(
            "Add a reranker",
            list(names),
            index=None,
            format_func=lambda name: f"{name}: {names[name]}",
            key=f"editor_add_{version}_{group}",
            placeholder="Choose one to put at the end",
            on_change=_add,
            args=(f"editor_add_{version}_{group}", form.with_stage),
        )
        if can_fuse:
            st.selectbox(
                "Fuse the last reranker with",
                list(names),
                index=None,
                format_func=lambda name: f"{name}: {names[name]}",
                key=f"editor_fuse_{version}_{group}",
                placeholder="Choose a second opinion",
                help="Both rerank the same candidates; reciprocal rank fusion joins their orders.",
                on_change=_add,
                args=(f"editor_fuse_{version}_{group}", form.fused_with),
            )


def _new_version() -> None:
    st.session_state[_VERSION] = st.session_state.get(_VERSION, 0) + 1


def _changed(field: form.Field, key: str) -> None:
    spec, _ = form.parsed(st.session_state[_TEXT])
    value = st.session_state[key]
    if spec is None:
        return
    _try(lambda: form.with_option(spec, field.path, field.param.name, value))
    if value is None or value == field.param.default:
        _new_version()
        if value is not None and field.automatic:
            parts.say(f"{value} is what stands for {field.automatic}.")


def _drop(stage: int) -> None:
    spec, _ = form.parsed(st.session_state[_TEXT])
    if spec is not None:
        _try(lambda: form.without_stage(spec, stage))
        _new_version()


def _add(key: str, change: Callable[[PipelineSpec, str], PipelineSpec]) -> None:
    spec, _ = form.parsed(st.session_state[_TEXT])
    name = st.session_state.get(key)
    if spec is not None and name:
        _try(lambda: change(spec, name))
        _new_version()


def _try(make: Any) -> None:
    try:
        st.session_state[_TEXT] = str(make())
    except LabError as error:
        parts.say(str(error), icon=":material/error:")
