"""Connecting a search engine: its options as groups of fields, its spec, and hits as rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from rerank_lab.components.base import Info, Param
from rerank_lab.components.registry import Broken, infos, resolve
from rerank_lab.core.spec import Literal, Node
from rerank_lab.corpora.live_opening import ENGINE_FAMILY
from rerank_lab.pipeline.engine import ENGINE_VARIABLES
from rerank_lab.services.engines import EnginePreview
from rerank_lab.views.labels import score

SNIPPET = 280
_WHERE = ("dsn_env", "url_env", "key_env", "table", "index", "collection", "id", "title", "text")
_LATER = ("template", "filter", "timeout", "ca_env", "cert_env")


@dataclass(frozen=True, slots=True)
class EngineForm:
    """The options of an engine, in the order in which they are asked for."""

    name: str
    summary: str
    where: tuple[Param, ...]
    how: tuple[Param, ...]
    more: tuple[Param, ...]


@dataclass(frozen=True, slots=True)
class HitRow:
    """One hit of a preview."""

    rank: int
    id: str
    title: str
    snippet: str
    score: str


def engine_forms() -> dict[str, EngineForm]:
    """The engines that there are, by name; how many hits they give is the pipeline's business."""
    engines = (one for one in infos("retriever") if not isinstance(one, Broken))
    return {one.name: _form(one) for one in engines if one.family == ENGINE_FAMILY}


def _form(info: Info) -> EngineForm:
    params = [param for param in info.params if param.name != info.depth_option]
    by_name = {param.name: param for param in params}
    where = tuple(by_name[name] for name in _WHERE if name in by_name)
    more = tuple(by_name[name] for name in _LATER if name in by_name)
    return EngineForm(
        info.name,
        info.summary,
        where,
        tuple(param for param in params if param not in (*where, *more)),
        more,
    )


def engine_spec(name: str, values: Mapping[str, Literal]) -> str:
    """The canonical spec of an engine with these options. Raises InvalidInput."""
    return str(resolve(Node(name, tuple(values.items()))))


def variable_note(variable: str) -> str:
    """Whether an environment variable is set; of others than engines' ones nothing is said."""
    if not variable:
        return ""
    if not variable.startswith(ENGINE_VARIABLES):
        return f"Its name must begin with {ENGINE_VARIABLES}."
    if os.environ.get(variable, "").strip():
        return f"{variable} is set where this app runs."
    return f"{variable} is not set: set it where this app is started, then start it again."


def hit_rows(preview: EnginePreview) -> tuple[HitRow, ...]:
    """The hits in the engine's order; long texts are cut."""
    return tuple(
        HitRow(
            rank,
            hit.document.id,
            hit.document.title,
            hit.document.text[:SNIPPET] + ("…" if len(hit.document.text) > SNIPPET else ""),
            "–" if hit.score is None else score(hit.score),
        )
        for rank, hit in enumerate(preview.hits, 1)
    )
