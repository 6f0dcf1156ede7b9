"""The row of pipelines: chips with edit and remove, "Add pipeline", depth and show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from rerank_lab.core.spec import PipelineSpec
from rerank_lab.services.presets import MAX_PIPELINES, presets
from rerank_lab.ui.compare import editor
from rerank_lab.ui.shared import parts, resources, state
from rerank_lab.views.labels import short_labels

_OWN = "Write your own…"
_ADD = "add"


def draw(
    screen: state.Screen,
    colours: Mapping[PipelineSpec, int],
    sizes: Callable[[], None] = state.size_boxes,
) -> None:
    """Draw the row; `sizes` draws the boxes at its end."""
    labels = short_labels(screen.pipelines)
    with st.container(horizontal=True, vertical_alignment="bottom", wrap=False, key="controls"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="chips"):
            for spec in screen.pipelines:
                _chip(screen, spec, labels[spec], colours[spec])
            if len(screen.pipelines) < MAX_PIPELINES:
                _add(screen)
        with st.container(
            horizontal=True, horizontal_alignment="right", wrap=False, width=216, key="sizes"
        ):
            sizes()
    editor.draw(screen)


def _chip(screen: state.Screen, spec: PipelineSpec, label: str, slot: int) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", gap=None, key=f"chip_{slot}", width="content"
    ):
        st.html(
            f'<span class="rl-dot" style="background:var(--rl-p{slot})"></span>',
            width="content",
        )
        st.button(
            parts.literal(label),
            key=f"edit_{slot}",
            type="tertiary",
            help="Edit this pipeline",
            on_click=editor.edit,
            args=(spec,),
        )
        st.button(
            f"Remove {parts.literal(label)}",
            icon=":material/close:",
            key=f"remove_{slot}",
            type="tertiary",
            help="Remove this pipeline",
            on_click=state.set_pipelines,
            args=([other for other in screen.pipelines if other != spec],),
        )


def _add(screen: state.Screen) -> None:
    live = resources.is_live(screen.corpus)
    about = {preset.spec: preset.about for preset in presets(live=live)}
    on_screen = set(map(str, screen.pipelines))
    offered = [spec for spec in about if spec not in on_screen]
    st.menu_button(
        "Add pipeline",
        [*offered, _OWN],
        key=_ADD,
        icon=":material/add:",
        on_click=_added,
        args=(screen.pipelines,),
        format_func=lambda spec: (
            _OWN if spec == _OWN else f"{parts.literal(spec)} :gray[· {about[spec]}]"
        ),
    )


def _added(specs: Sequence[PipelineSpec]) -> None:
    """What was picked from the menu: a callback, as both ways set values of drawn widgets."""
    picked = st.session_state[_ADD]
    if picked == _OWN:
        editor.edit(None)
    elif picked:
        state.set_pipelines([*specs, picked])
