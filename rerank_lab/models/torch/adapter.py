"""LoRA adapters, merged into the weights of their base model (Hu et al. 2021, arXiv:2106.09685).

W + B A x alpha / r, from safetensors as PEFT saves them; nothing else of the adapter is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.locate.resolve import locate

_WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter's folder, its digest, and what its configuration says."""

    name: str
    folder: Path
    digest: str
    config: dict[str, Any]

    @property
    def scaling(self) -> float:
        """What the product of the two matrices is multiplied by: alpha / r, or alpha / sqrt(r)."""
        rank, alpha = float(self.config["r"]), float(self.config["lora_alpha"])
        return float(alpha / rank**0.5 if self.config.get("use_rslora") else alpha / rank)


def find_adapter(name: str) -> Adapter:
    """An adapter in a local folder. Raises ModelUnavailable when it cannot be used."""
    located = locate(name)
    config = located.json("adapter_config.json")
    unusable = ""
    if not (located.folder / _WEIGHTS).is_file():
        unusable = f"it holds no {_WEIGHTS}"
    elif str(config.get("peft_type", "")).upper() != "LORA" or not config.get("r"):
        unusable = f"its type is {config.get('peft_type') or 'unknown'}, not LORA"
    elif config.get("use_dora") or config.get("rank_pattern") or config.get("alpha_pattern"):
        unusable = "DoRA and ranks that differ by layer are not supported"
    if unusable:
        raise ModelUnavailable(
            f"The adapter {name} cannot be used: {unusable}.",
            hint="Merge it with PEFT (merge_and_unload), save the model, and name that folder.",
        )
    return Adapter(name, located.folder, located.digest, config)


def merge(model: Any, adapter: Adapter) -> set[str]:
    """Add the adapter to the model's weights in place; names of the parameters it replaced whole.

    Raises ModelUnavailable when it was made for another model.
    """
    import torch
    from safetensors.torch import load_file

    held = load_file(str(adapter.folder / _WEIGHTS))
    parameters = dict(model.named_parameters())
    replaced: set[str] = set()
    with torch.no_grad():
        for key, value in held.items():
            name = key.removeprefix(_PREFIX)
            if ".lora_A." in name:
                target = name.split(".lora_A.")[0] + ".weight"
                other = held[key.replace(".lora_A.", ".lora_B.")].float()
                added = other @ value.float() * adapter.scaling
                added = added.T if adapter.config.get("fan_in_fan_out") else added
                _of(parameters, target, added, adapter).add_(added)
            elif ".lora_B." not in name:
                # Layers trained whole, such as a head; other kinds of adapter find no parameter.
                _of(parameters, name, value, adapter).copy_(value)
                replaced.add(name)
    return replaced


def _of(parameters: dict[str, Any], name: str, value: Any, adapter: Adapter) -> Any:
    parameter = parameters.get(name)
    if parameter is None or parameter.shape != value.shape:
        raise ModelUnavailable(
            f"The adapter {adapter.name} does not fit this model: {name}.",
            hint=f"It was made for {adapter.config.get('base_model_name_or_path') or 'another'}.",
        )
    return parameter
