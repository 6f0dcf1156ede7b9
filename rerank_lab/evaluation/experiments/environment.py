"""What the answers of an experiment stand on beside its design: components, libraries, machine."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Trace
from rerank_lab.evaluation.experiments.cells import Design
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline

_LIBRARIES = {
    "rerank_lab": "rerank-lab",
    "numpy": "numpy",
    "Stemmer": "PyStemmer",
    "ir_measures": "ir-measures",
    "pytrec_eval": "pytrec-eval-terrier",
    "tokenizers": "tokenizers",
    "onnxruntime": "onnxruntime",
    "faiss": "faiss-cpu",
    "torch": "torch",
    "transformers": "transformers",
    "sentence_transformers": "sentence-transformers",
    "sklearn": "scikit-learn",
    "lightgbm": "lightgbm",
    "xgboost": "xgboost",
    "rank_bm25": "rank-bm25",
}
"""By the name that a module is imported by, the package whose version is recorded."""


@dataclass(frozen=True, slots=True)
class ComponentState:
    """What decides the answers of a component; "" for what it has not, or could not be had.

    `fingerprint` covers everything, `prompt` the words of a prompt, `weights` files of a model, a
    run or a fusion that was trained.
    """

    fingerprint: str
    prompt: str = ""
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where answers came from.

    Attributes:
        recorded_at: an ISO 8601 time in UTC.
        python: its version.
        system: the operating system and the kind of processor.
        processors: how many the machine has.
        libraries: the version of each package that was in use.
        components: by the text of a component in a pipeline, its state.
        served: by the model that was asked for, the names that answers came under, in order.
        corpus_judgments: whether the judgments were those that the corpus had at that time.
    """

    recorded_at: str
    python: str
    system: str
    processors: int
    libraries: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, ComponentState] = field(default_factory=dict)
    served: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    corpus_judgments: bool = True

    def alike(self, other: Environment) -> bool:
        """Whether answers of both may be mixed: nothing that is known of both differs."""
        libraries = self.libraries.keys() & other.libraries.keys()
        return (
            (self.python, self.system, self.processors, self.corpus_judgments)
            == (other.python, other.system, other.processors, other.corpus_judgments)
            and self.components == other.components
            and all(self.libraries[name] == other.libraries[name] for name in libraries)
        )

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as they are written to files and to `--json`."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


def environment_now(design: Design, engine: Engine, corpus_judgments: bool = True) -> Environment:
    """The environment of this process, with the components of a design as they are here."""
    return Environment(
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        platform.python_version(),
        f"{platform.system()} {platform.machine()}",
        os.cpu_count() or 1,
        libraries_in_use(),
        component_states(design.pipelines, engine),
        {},
        corpus_judgments,
    )


def libraries_in_use() -> dict[str, str]:
    """The versions of the packages that this process has imported, by name."""
    imported = (package for module, package in _LIBRARIES.items() if module in sys.modules)
    return {package: number for package in imported if (number := installed_version(package))}


@cache
def installed_version(package: str) -> str:
    """The version of a package; "" when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def component_states(specs: Iterable[str], engine: Engine) -> dict[str, ComponentState]:
    """The state of each component of these pipelines, and of each fusion that was trained."""
    states: dict[str, ComponentState] = {}
    for spec in specs:
        try:
            pipeline = Pipeline(spec)
        except LabError:
            continue
        for node, kind in pipeline.leaves:
            make = engine.reranker if kind == "reranker" else engine.retriever
            if str(node) not in states:
                try:
                    states[str(node)] = _state(make(node))
                except LabError:
                    states[str(node)] = ComponentState("")
        for fusion in pipeline.fusions:
            try:
                if digest := fusion.fingerprint():
                    states[fusion.info.name] = ComponentState(digest, "", digest)
            except LabError:
                states[fusion.info.name] = ComponentState("")
    return states


def _state(component: Any) -> ComponentState:
    prompt = getattr(getattr(component, "prompt", None), "digest", "")
    return ComponentState(component.fingerprint(), str(prompt), component.weights_digest())


def served_models(traces: Iterable[Trace]) -> dict[str, tuple[str, ...]]:
    """By the model that was asked for, the other names that answers came under."""
    served: dict[str, set[str]] = {}
    for trace in traces:
        if trace.model_asked and trace.model_served:
            served.setdefault(trace.model_asked, set()).add(trace.model_served)
    return {asked: tuple(sorted(names)) for asked, names in sorted(served.items())}


def merged(earlier: tuple[Environment, ...], now: Environment) -> tuple[Environment, ...]:
    """The environments of an experiment with the one that answers come from now as the last."""
    if not earlier or not earlier[-1].alike(now):
        return (*earlier, now)
    last = earlier[-1]
    names = dict.fromkeys((*last.served, *now.served))
    served = {
        asked: tuple(sorted({*last.served.get(asked, ()), *now.served.get(asked, ())}))
        for asked in names
    }
    libraries = {**last.libraries, **now.libraries}
    return (*earlier[:-1], replace(last, libraries=libraries, served=served))
