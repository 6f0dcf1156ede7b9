"""What models can compute with here: device and number format."""

from __future__ import annotations

from typing import Literal

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.machine import cpu_flags, has_cuda

Device = Literal["auto", "cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda")


def choose_device(device: str) -> str:
    """The device: "cuda" when there is one and it is not declined, else "cpu".

    Imports torch, which takes seconds, only where there may be a CUDA device.

    Raises InvalidInput when CUDA is asked for and there is none.
    """
    if device == "cpu" or (device == "auto" and not has_cuda()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise InvalidInput(
            "There is no CUDA device here.", hint='Use device="auto" or device="cpu".'
        )
    return "cpu"


def torch_dtype(device: str) -> str:
    """The number format that torch computes in: bfloat16 on CUDA, exact float32 on a CPU."""
    return "bfloat16" if device == "cuda" else "float32"


def has_int8_dot_products() -> bool:
    """Whether the processor adds up int8 products in 32 bits; assumed where it is unknown."""
    flags = cpu_flags()
    return "avx2" not in flags or any("_vnni" in flag for flag in flags)


def int8_form() -> str:
    """What digests say of how int8 is computed here: "" as a rule, ":7bit" without dot products."""
    return "" if has_int8_dot_products() else ":7bit"
