"""What the Models page shows, as plain values: models, installed components, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.components.base import Info
from rerank_lab.components.catalogue import CatalogueModel
from rerank_lab.components.model_state import Availability, LoadedModel
from rerank_lab.components.registry import Broken
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.views.formatting import language_names, model_size, rough_duration
from rerank_lab.views.health import Badge

STATES = {
    "loaded": "In memory",
    "ready": "Ready",
    "downloadable": "To download",
    "missing": "Not here",
}
ROLES = {"retriever": "first stage", "reranker": "reranker"}
KINDS = {"retriever": "First stage", "fusion": "Fusion", "reranker": "Reranker"}
_ORDER = ("loaded", "ready", "downloadable", "missing")


@dataclass(frozen=True, slots=True)
class CatalogueLine:
    """One catalogue model. `state` is loaded, ready, downloadable or missing; `size` in words.

    `why` and `hint` are empty when there is nothing to do. `uses` are spec names of its roles.
    """

    name: str
    title: str
    state: str
    where: str
    roles: tuple[str, ...]
    size: str
    parameters: str
    licence: str
    languages: str
    max_length: int
    weights: str
    scale: str
    why: str
    hint: str
    note: str
    as_of: str

    @property
    def state_words(self) -> str:
        """The state of the model in words."""
        return STATES[self.state]

    @property
    def usable(self) -> bool:
        """Runs here without any download."""
        return self.state in ("loaded", "ready")

    @property
    def spec(self) -> PipelineSpec | None:
        """A pipeline that uses the model, for health check and Compare; None without a role."""
        node = Node(self.name)
        if "reranker" in self.roles:
            return Node("bm25") >> node
        return PipelineSpec((node,)) if self.roles else None


@dataclass(frozen=True, slots=True)
class ComponentLine:
    """One installed component; `problem` says why a plugin cannot be loaded."""

    name: str
    kind: str
    family: str
    summary: str
    scale: str
    options: str
    needs: str
    problem: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class LoadedLine:
    """One model in memory. `size` in words, `idle` since when it was last used, in words."""

    name: str
    backend: str
    size: str
    use: str


def model_lines(
    models: Mapping[str, CatalogueModel],
    states: Mapping[str, Availability],
    loaded: Sequence[LoadedModel] = (),
) -> tuple[CatalogueLine, ...]:
    """The catalogue, what can run first. `states` holds an availability for every model."""
    in_memory = {model.name for model in loaded}
    lines = [_model_line(m, states[name], name in in_memory) for name, m in models.items()]
    return tuple(sorted(lines, key=lambda line: _ORDER.index(line.state)))


def models_sentence(lines: Sequence[CatalogueLine]) -> str:
    """`5 of 14 models run here now; 9 more can be downloaded.`"""
    now = sum(line.usable for line in lines)
    more = sum(line.state == "downloadable" for line in lines)
    rest = len(lines) - now - more
    parts = [f"{now} of {len(lines)} models {'runs' if now == 1 else 'run'} here now"]
    if more:
        parts.append(f"{more} more can be downloaded")
    if rest:
        parts.append(f"{rest} {'is' if rest == 1 else 'are'} out of reach")
    return "; ".join(parts) + "."


def health_words(badge: Badge | None, line: CatalogueLine) -> str:
    """The state of the health check in a word; a first stage alone has none."""
    if "reranker" not in line.roles:
        return "–"
    return badge.state.capitalize() if badge else "Not checked"


def component_lines(components: Sequence[Info | Broken]) -> tuple[ComponentLine, ...]:
    """Installed components, the broken ones first."""
    lines = [
        _broken_line(row) if isinstance(row, Broken) else _info_line(row) for row in components
    ]
    return tuple(sorted(lines, key=lambda line: not line.problem))


def loaded_lines(loaded: Sequence[LoadedModel]) -> tuple[LoadedLine, ...]:
    """The models in memory, the most recently used first."""
    return tuple(
        LoadedLine(
            model.name,
            model.backend,
            model_size(model.size),
            "in use" if model.in_use else f"idle for {rough_duration(model.idle_s)}",
        )
        for model in loaded
    )


def memory_sentence(loaded: Sequence[LoadedModel], budget: int) -> str:
    """`Models hold 120 MB of the 8.0 GB they may use.`"""
    if not loaded:
        return f"No model is in memory; they may use {model_size(budget)}."
    used = sum(model.size for model in loaded)
    return f"Models hold {model_size(used)} of the {model_size(budget)} they may use."


def memory_share(loaded: Sequence[LoadedModel], budget: int) -> float:
    """Used over allowed, 0 to 1."""
    return min(1.0, sum(model.size for model in loaded) / budget) if budget else 0.0


def _model_line(model: CatalogueModel, state: Availability, in_memory: bool) -> CatalogueLine:
    usable = state.state == "ready"
    return CatalogueLine(
        model.name,
        model.title,
        "loaded" if in_memory and usable else state.state,
        state.where,
        tuple(role for role in ("retriever", "reranker") if model.component(role)),
        model_size(state.size or model.size),
        model.parameters,
        model.licence,
        language_names(model.languages),
        model.max_length,
        model.weights,
        model.scale,
        "" if usable else state.reason,
        "" if usable else state.hint,
        model.note,
        model.as_of,
    )


def _info_line(info: Info) -> ComponentLine:
    needs = [f"extra {info.extra}"] if info.extra else []
    needs += [f"key in {info.key_variable}"] if info.key_variable else []
    options = ", ".join(param.name for param in info.params)
    return ComponentLine(
        info.name, info.kind, info.family, info.summary, info.scale, options, ", ".join(needs)
    )


def _broken_line(row: Broken) -> ComponentLine:
    return ComponentLine(
        row.name, row.kind, "plugin", "Cannot be loaded", "", "", "", row.error, row.details
    )
