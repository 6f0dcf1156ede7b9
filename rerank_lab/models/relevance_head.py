"""Does this model have a trained relevance head, and which of its outputs is the relevance?

An embedding model, a classifier for something else, or a checkpoint whose head is missing loads
without complaint in most tools and then ranks at random. Here it is refused, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.core.text import load_json
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.soundness import tensor_header
from rerank_lab.models.torch.loading import load_config

_RELEVANT = ("relevant", "relevance", "yes", "true")
"""Not "positive": that is how most models for sentiment name an output of theirs."""
_INFERENCE = ("entail", "contradict")


@dataclass(frozen=True, slots=True)
class Head:
    """`labels` outputs; the score is output `relevant`, less the other one when there are two."""

    labels: int = 1
    relevant: int = 0


def head_of(located: LocatedModel) -> Head:
    """The relevance head of a cross-encoder, from its configuration.

    Raises ModelUnavailable when it has none, or has outputs that do not mean relevance.
    """
    config = located.json("config.json")
    architecture = located.architecture
    if _is_module_chain(located):
        return Head()
    if _is_bi_encoder(located) or not _scores_pairs(architecture, located):
        raise ModelUnavailable(
            f"{located.name} is not a cross-encoder: it has no trained relevance head"
            f"{f' ({architecture})' if architecture else ''}.",
            hint=f'Use it as an embedding model: bi-encoder(model="{located.name}").',
        )
    if architecture.endswith("ForCausalLM"):
        _require_template(located)
        return Head()
    if not architecture:
        return Head()
    labels = [str(label) for _, label in sorted((config.get("id2label") or {}).items())]
    count = len(labels) or int(config.get("num_labels", 2))
    if count == 1:
        return Head()
    relevant = [i for i, label in enumerate(labels) if label.strip().lower() in _RELEVANT]
    if count == 2 and len(relevant) == 1:
        return Head(2, relevant[0])
    raise ModelUnavailable(_why_not(located.name, labels, count), hint=_USE_ONE_LABEL)


def _require_template(located: LocatedModel) -> None:
    """A language model scores pairs only in the template that it was trained with."""
    try:
        modules = (located.folder / "modules.json").read_text("utf-8")
    except OSError:
        modules = ""
    if "LogitScore" not in modules:
        raise ModelUnavailable(
            f"{located.name} is a language model that answers a template with one word; as a "
            "cross-encoder it would score pairs without that template.",
            hint=f'Use decoder(model="{located.name}",template=...), which names the template.',
        )


def require_trained_head(located: LocatedModel) -> None:
    """Raises ModelUnavailable when the weights lack the head that the architecture needs."""
    architecture = located.architecture
    if not architecture.endswith("ForSequenceClassification"):
        return
    missing = missing_head_keys(located)
    if missing:
        raise ModelUnavailable(
            f"The weights of {located.name} lack its relevance head ({', '.join(missing)}): "
            "it would be newly initialised, and its order random.",
            hint="Choose a model that was trained as a reranker, or fetch this one again.",
        )


def missing_head_keys(located: LocatedModel) -> list[str]:
    """Parameters above the encoder that the safetensors files do not hold. Imports transformers."""
    import torch
    from transformers import AutoModelForSequenceClassification

    stored = {name for path in located.folder.glob("*.safetensors") for name in tensor_header(path)}
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(
            load_config(located), trust_remote_code=False
        )
    body = f"{model.base_model_prefix}."
    return sorted(k for k in model.state_dict() if not k.startswith(body) and k not in stored)


def _scores_pairs(architecture: str, located: LocatedModel) -> bool:
    known = architecture.endswith(("ForSequenceClassification", "ForCausalLM"))
    return known or (not architecture and located.onnx_file is not None)


def _is_module_chain(located: LocatedModel) -> bool:
    """Whether it is a cross-encoder whose head is modules of its own, the last with one output.

    So sentence-transformers saves an encoder, a pooling and dense layers, as the Ettin rerankers
    are (https://huggingface.co/blog/ettin-reranker).
    """
    if located.json("config_sentence_transformers.json").get("model_type") != "CrossEncoder":
        return False
    try:
        modules = load_json((located.folder / "modules.json").read_text("utf-8"))
        last = modules[-1]
        head = located.json(f"{last['path']}/config.json")
        is_dense = str(last["type"]).endswith(".Dense")
    except (OSError, ValueError, TypeError, LookupError):
        return False
    has_weights = (located.folder / str(last["path"]) / "model.safetensors").is_file()
    return is_dense and has_weights and head.get("out_features") == 1


def _is_bi_encoder(located: LocatedModel) -> bool:
    try:
        modules = load_json((located.folder / "modules.json").read_text("utf-8"))
        return any(str(module["type"]).endswith("Pooling") for module in modules)
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _why_not(name: str, labels: list[str], count: int) -> str:
    if any(word in label.lower() for word in _INFERENCE for label in labels):
        return f"{name} judges whether one text follows from another, not relevance."
    names = ", ".join(labels) or "unnamed"
    return f"{name} has {count} outputs ({names}), and none is named as the relevant one."


_USE_ONE_LABEL = (
    "Use a model with one output, or with two of which one is labelled relevant in its config.json."
)
