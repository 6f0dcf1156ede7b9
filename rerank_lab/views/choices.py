"""What can stand in a pipeline, to choose from: first stages, and rerankers by what they need."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.components.base import Info
from rerank_lab.components.catalogue import CatalogueModel, catalogue
from rerank_lab.components.model_state import Availability
from rerank_lab.components.registry import Broken, infos
from rerank_lab.core.context import Context
from rerank_lab.services.models import model_states
from rerank_lab.views.formatting import model_size

HERE, DOWNLOAD, PROVIDER, RULE, BY_NAME = (
    "Runs here",
    "To download",
    "Asks a provider",
    "Rules, no model",
    "Any model by its name",
)
GROUPS = (HERE, DOWNLOAD, PROVIDER, RULE, BY_NAME)


def reranker_groups(ctx: Context) -> Mapping[str, Mapping[str, str]]:
    """Names that can be added as a stage, with a short description, by what they need.

    Args:
        ctx: whose keys of providers are looked for; nothing is sent.

    Returns:
        The groups in the order of `GROUPS`, those without a name left out.
    """
    groups: dict[str, dict[str, str]] = {group: {} for group in GROUPS}
    states = model_states()
    for name, model in catalogue().items():
        if model.reranker:
            state = states[name]
            groups[HERE if state.state == "ready" else DOWNLOAD][name] = _model_words(model, state)
    for info in infos("reranker"):
        if not isinstance(info, Broken) and info.name not in catalogue():
            groups[_group(info)][info.name] = _component_words(info, ctx)
    return {group: names for group, names in groups.items() if names}


def reranker_names() -> tuple[str, ...]:
    """All names that can be added as a stage: models of the catalogue, then components."""
    models = (name for name, model in catalogue().items() if model.reranker)
    components = (info.name for info in infos("reranker") if not isinstance(info, Broken))
    return tuple(dict.fromkeys((*models, *components)))


def first_stages() -> Mapping[str, str]:
    """Names that can be the first stage, with a short description: components, then models."""
    states = model_states()
    words = {i.name: i.summary for i in infos("retriever") if not isinstance(i, Broken)}
    return words | {
        name: _model_words(model, states[name])
        for name, model in catalogue().items()
        if model.retriever and name not in words
    }


def _group(info: Info) -> str:
    if info.key_variable:
        return PROVIDER
    return BY_NAME if info.has_model else RULE


def _model_words(model: CatalogueModel, state: Availability) -> str:
    needs = "" if state.state == "ready" else f", {model_size(state.size or model.size)} to fetch"
    return f"{model.title} ({model.parameters or 'size unknown'}, {model.licence}{needs})"


def _component_words(info: Info, ctx: Context) -> str:
    if not info.key_variable:
        return info.summary
    key = ctx.secret(info.key_variable, required=False)
    return f"{info.summary} ({'its key is set' if key else f'no key yet: {info.key_variable}'})"
