"""A full-precision cross-encoder to an int8 ONNX graph, once, and only if its order survives.

The weights are quantised per output channel; activations are quantised while running, after the
channels that are far larger than the rest have been scaled down and the weights up by as much
(Xiao et al. 2023, "SmoothQuant"), and tokens to one size where a layer narrows.

Attention becomes one operator. The result is compared with full precision on probe texts. When
Kendall's tau falls below `MIN_TAU`, the full-precision graph is kept instead, and when even that
differs, torch runs the model. Kept under the data home's `models/`, written whole or not at all.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, DeadlineExceeded
from rerank_lab.core.paths import data_home
from rerank_lab.models.convert.heads import Head
from rerank_lab.models.convert.probes import probe_texts
from rerank_lab.models.convert.version import RECIPE
from rerank_lab.models.locate.resolve import Located
from rerank_lab.models.onnx.tasks import OnnxScorer
from rerank_lab.models.runtime.memory import Usage
from rerank_lab.models.runtime.request import Call

MIN_TAU = 0.95
_MAX_BYTES = 1_400_000_000
"""An ONNX file holds less than 2 GB; larger models stay with torch."""
_SMOOTHING = 0.75

Precision = Literal["int8", "fp32", "fused", "none"]


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

    @property
    def warning(self) -> str:
        """For the trace: why a slower way runs, or ""."""
        if self.precision == "int8":
            return ""
        runs = "full-precision ONNX" if self.precision == "fp32" else "torch"
        return f"int8 is not used for this model ({self.reason}); {runs} runs instead."


def convertible(located: Located) -> bool:
    """Whether conversion can be tried: an encoder with a classification head, not too large."""
    architecture = str((located.json("config.json").get("architectures") or [""])[0])
    fits = located.weights_size <= _MAX_BYTES
    has_tokenizer = (located.folder / "tokenizer.json").is_file()
    is_classifier = architecture.endswith("ForSequenceClassification")
    return is_classifier and fits and has_tokenizer and find_spec("onnx") is not None


def converted_folder(located: Located) -> Path:
    """Where the converted form of a model lives, whether or not it exists."""
    return data_home() / "models" / f"{located.digest[:40]}-onnx{RECIPE}"


def read_conversion(folder: Path) -> Conversion | None:
    """What was found when a model was converted, None when it has not been."""
    try:
        return Conversion(**json.loads((folder / "conversion.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def convert(located: Located, head: Head, ctx: Context) -> Conversion:
    """Convert a cross-encoder, verify and keep. Never raises for one that cannot be converted.

    Raises Cancelled or DeadlineExceeded between steps.
    """
    return kept(located, ctx, lambda work: _convert_into(work, located, head, ctx))


def kept(located: Located, ctx: Context, make: Callable[[Path], Conversion]) -> Conversion:
    """What `make` found when it filled a folder, done once and put in place whole."""
    target = converted_folder(located)
    done = read_conversion(target)
    if done is not None:
        return done
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".converting-", dir=target.parent))
    try:
        ctx.report(f"converting {located.name} for this processor (once)")
        try:
            with _quiet():
                found = make(work)
        except (Cancelled, DeadlineExceeded):
            raise
        except Exception as error:  # whatever an exporter stumbles over, torch can still run it
            said = str(error).strip() or type(error).__name__
            reason = f"it cannot be exported: {said.splitlines()[0][:200]}"
            found = Conversion("none", 0.0, 0.0, 0.0, 0, reason)
        (work / "conversion.json").write_text(json.dumps(asdict(found), indent=2), "utf-8")
        _move(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return read_conversion(target) or found


def _convert_into(work: Path, located: Located, head: Head, ctx: Context) -> Conversion:
    from rerank_lab.models.convert import graphs
    from rerank_lab.models.convert.attention import fuse_attention

    probes = probe_texts()
    tokenizer = shutil.copy(located.folder / "tokenizer.json", work / "tokenizer.json")
    model = graphs.load_classifier(located.folder)
    exact = _torch_scores(model, located, head, probes)
    ctx.checkpoint()
    full, int8 = work / "full.onnx", work / "int8.onnx"
    graphs.export(model, located, full)
    fuse_attention(full)
    ctx.checkpoint()
    graphs.smooth(model, graphs.largest_inputs(model, located, probes), _SMOOTHING)
    graphs.export(model, located, work / "smooth.onnx")
    ctx.checkpoint()
    graphs.quantise(work / "smooth.onnx", int8)
    fuse_attention(int8)
    (work / "smooth.onnx").unlink()
    limit = located.max_length
    int8_scores = _onnx_scores(int8, Path(tokenizer), head, probes, limit, ctx)
    int8_tau, int8_difference = compare(int8_scores, exact)
    count = sum(len(row) for row in exact)
    if int8_tau >= MIN_TAU:
        full.unlink()
        return Conversion("int8", int8_tau, int8_difference, int8_tau, count)
    int8.unlink()
    reason = f"its order differs from full precision, Kendall tau {int8_tau:.3f}"
    full_scores = _onnx_scores(full, Path(tokenizer), head, probes, limit, ctx)
    tau, difference = compare(full_scores, exact)
    if tau >= MIN_TAU:
        return Conversion("fp32", tau, difference, int8_tau, count, reason)
    full.unlink()
    reason = f"the exported graph differs from the model, Kendall tau {tau:.3f}"
    return Conversion("none", tau, difference, int8_tau, count, reason)


def compare(
    given: Sequence[Sequence[float]], exact: Sequence[Sequence[float]]
) -> tuple[float, float]:
    """Mean Kendall tau-a over the questions, and the largest difference of one score.

    Pairs whose exact scores are equal do not count.
    """
    taus, largest = [], 0.0
    for ours, theirs in zip(given, exact, strict=True):
        a, b = np.asarray(ours), np.asarray(theirs)
        largest = max(largest, float(np.abs(a - b).max(initial=0.0)))
        upper = np.triu_indices(len(a), 1)
        sign_a = np.sign(np.subtract.outer(a, a)[upper])
        sign_b = np.sign(np.subtract.outer(b, b)[upper])
        if np.any(sign_b):
            taus.append(float((sign_a * sign_b).sum() / np.abs(sign_b).sum()))
    return (float(np.mean(taus)) if taus else 0.0), largest


def _torch_scores(
    model: Any, located: Located, head: Head, probes: list[tuple[str, list[str]]]
) -> list[list[float]]:
    from rerank_lab.models.convert import graphs

    rows = []
    for query, texts in probes:
        logits = [graphs.logits(model, located, query, text) for text in texts]
        rows.append([_score(row, head) for row in logits])
    return rows


def _score(logits: Sequence[float], head: Head) -> float:
    score = logits[head.relevant]
    return score - logits[1 - head.relevant] if head.labels == 2 else score


def _onnx_scores(
    graph: Path,
    tokenizer: Path,
    head: Head,
    probes: list[tuple[str, list[str]]],
    max_length: int,
    ctx: Context,
) -> list[list[float]]:
    engine = OnnxScorer(graph, tokenizer, "probe", head)
    try:
        return [engine.score(q, t, Call(ctx, Usage(), max_length)) for q, t in probes]
    finally:
        engine.close()


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


def _move(work: Path, target: Path) -> None:
    """Put the finished folder in place; another process may have been first."""
    try:
        os.replace(work, target)
    except OSError:
        if read_conversion(target) is None:
            shutil.rmtree(target, ignore_errors=True)
            os.replace(work, target)
