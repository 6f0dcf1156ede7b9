"""The converted form of a model: made once, checked, and kept under the data home's `models/`.

Each conversion compares its result with the model it came from, and says in `conversion.json` what
it was worth. A folder is written whole or not at all.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, DeadlineExceeded
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import staged_folder
from rerank_lab.core.text import load_json
from rerank_lab.models.locate.folder import LocatedModel

CONVERSION_VERSION = "5"
"""Part of a model's digest and of a converted model's place: changes whenever the way does."""

VECTORS_VERSION = "4"
"""In place of it for encoders, under whose digest vectors are kept: changes when those do."""

VECTORS_FORM = f"vectors{VECTORS_VERSION}"

Precision = Literal["int8", "bf16", "fp32", "fused", "none"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of it. `tau` and `max_difference` (in logits) compare with full precision.

    Of a graph that came as a file and had its attention fused, both compare with that file, and
    `tau` is the correlation of the outputs.
    """

    precision: Precision
    tau: float
    max_difference: float
    int8_tau: float
    probes: int
    reason: str = ""
    first_token: bool = False
    """Whether the last layer is computed for the first token only."""

    @property
    def warning(self) -> str:
        """For the trace: why a slower way runs, or ""."""
        if self.precision == "int8":
            return ""
        runs = "full-precision ONNX" if self.precision == "fp32" else "torch"
        return f"int8 is not used for this model ({self.reason}); {runs} runs instead."


def converted_folder(located: LocatedModel, form: str = "") -> Path:
    """Where the converted form of a model lives, whether or not it exists.

    Args:
        located: The model.
        form: Names a form beside the usual one, such as that of vectors pooled by [CLS].
    """
    name = f"{located.digest[:40]}-onnx{CONVERSION_VERSION}"
    return data_home() / "models" / (f"{name}-{form}" if form else name)


def read_conversion(folder: Path) -> Conversion | None:
    """What was found when a model was converted, None when it has not been."""
    try:
        return Conversion(**load_json((folder / "conversion.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def convert_once(
    located: LocatedModel, ctx: Context, make: Callable[[Path], Conversion], form: str = ""
) -> Conversion:
    """The conversion that `make` writes into an empty folder, done once and put in place whole.

    An exporter's failure is a conversion of precision "none". Raises Cancelled, DeadlineExceeded.
    """
    target = converted_folder(located, form)
    earlier = read_conversion(target)
    if earlier is not None:
        return earlier
    with staged_folder(target, complete=lambda path: read_conversion(path) is not None) as folder:
        ctx.report(f"converting {located.name} for this processor (once)")
        try:
            with _quiet():
                conversion = make(folder)
        except (Cancelled, DeadlineExceeded):
            raise
        except Exception as error:  # whatever an exporter stumbles over, torch can still run it
            reason = str(error).strip() or type(error).__name__
            reason = f"it cannot be exported: {reason.splitlines()[0][:200]}"
            conversion = Conversion("none", 0.0, 0.0, 0.0, 0, reason)
        (folder / "conversion.json").write_text(json.dumps(asdict(conversion), indent=2), "utf-8")
    return read_conversion(target) or conversion


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters warn about every constant they fold; the verification is what decides."""
    names = ("torch.onnx", "onnxscript", "root", "onnxruntime")
    levels = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
