"""The contract of a component: what retrievers, fusions and rerankers have in common.

`Info` describes a component to people, and to generated forms, help and docs; `Component` is the
base of its class.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rerank_lab.components.aliases import first_name
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError, nearest
from rerank_lab.core.spec import Literal as Value
from rerank_lab.core.spec import format_literal
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.text import problems_line
from rerank_lab.core.types import Document, Query

Kind = Literal["retriever", "fusion", "reranker"]
KINDS: tuple[Kind, ...] = ("retriever", "fusion", "reranker")


@dataclass(frozen=True, slots=True)
class Param:
    """One option of a component. The type is that of `default`; `low` and `high` are inclusive."""

    name: str
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()
    unit: str = ""
    label: str = ""
    execution: bool = False
    """True when the option changes how fast an answer comes, never which answer."""
    automatic: str = ""
    """What the default really does, when it is a number that only stands for something: forms show
    these words in place of the number."""
    local: bool = False
    """True when the value may name a file or folder of this machine; the app then asks whether it
    may be read."""
    variable: bool = False
    """True when the value names an environment variable that holds a secret; the app then lets
    visitors name only those that are meant for engines."""

    @property
    def type(self) -> type[Value]:
        """int, float, bool or str."""
        return type(self.default)

    def check(self, value: Value) -> tuple[Value | None, str]:
        """The value in this option's type and "", or None and what is wrong with it."""
        if self.type is float and type(value) is int:
            value = float(value)
        if type(value) is not self.type:
            names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
            return None, f"{self.name} must be {names[self.type]}, not {format_literal(value)}"
        if self.choices and value not in self.choices:
            listed = ", ".join(format_literal(choice) for choice in self.choices)
            return None, f"{self.name} must be one of {listed}, not {format_literal(value)}"
        if isinstance(value, int | float) and not isinstance(value, bool):
            if self.low is not None and value < self.low:
                return None, f"{self.name} must be at least {self.low:g}, not {value:g}"
            if self.high is not None and value > self.high:
                return None, f"{self.name} must be at most {self.high:g}, not {value:g}"
        return value, ""


@dataclass(frozen=True, slots=True)
class Info:
    """What a component is, for people and for generated forms, help and docs."""

    name: str
    kind: Kind
    family: str
    summary: str
    scale: str
    params: tuple[Param, ...] = ()
    extra: str = ""
    key_variable: str = ""
    lane: str = "cpu"
    lanes: tuple[tuple[str, Value, str], ...] = ()
    """(option, value, lane): where an option decides what kind of resource is occupied."""
    deterministic: bool = True
    min_sources: int = 2
    """Of a fusion: how many sources it needs."""
    stage_only: bool = False
    """Of a fusion: True when it works on candidates only, and cannot be a first stage."""
    has_model: bool = True
    """False for rules and arithmetic: there is no model whose health could be checked."""
    has_index: bool = True
    """Of a retriever: False when it builds nothing for a corpus."""
    live: bool = False
    """Of a retriever: True when it needs no documents beforehand, and so can search a corpus whose
    documents stay in a search engine."""

    def param(self, name: str) -> Param | None:
        """The option of that name, None when there is none."""
        return next((p for p in self.params if p.name == name), None)

    @property
    def depth_option(self) -> str:
        """The option that says how many documents it returns or takes; the pipeline reads it."""
        return "k" if self.kind == "retriever" else "top"

    def lane_of(self, options: Mapping[str, Value]) -> str:
        """The kind of resource that it occupies with these (complete) options."""
        decided = (lane for name, value, lane in self.lanes if options.get(name) == value)
        return next(decided, self.lane)

    def complete(self, options: Mapping[str, Value]) -> dict[str, Value]:
        """All options with defaults filled in. Raises InvalidInput with every problem at once."""
        problems = self.problems(options)
        if problems:
            raise InvalidInput(
                f"{self.name}: {problems_line(problems)}",
                hint=f"Options of {self.name}: {', '.join(p.name for p in self.params) or 'none'}.",
                problems=problems,
            )
        checked = {k: self._checked(k, v) for k, v in options.items()}
        return {p.name: checked.get(p.name, p.default) for p in self.params}

    def _checked(self, name: str, value: Value) -> Value:
        param = self.param(name)
        checked = param.check(value)[0] if param else None
        return value if checked is None else checked

    def problems(self, options: Mapping[str, Value]) -> list[str]:
        """What is wrong with these options, a sentence each; options left out have no problem."""
        problems = []
        for name, value in options.items():
            param = self.param(name)
            if param is None:
                near = nearest(name, (p.name for p in self.params))
                problems.append(f"there is no option {name!r}{near}")
            else:
                problems += [problem for problem in [param.check(value)[1]] if problem]
        return problems


class Component:
    """A component with its options. Instant to construct; a subclass does the work."""

    info: ClassVar[Info]

    def __init__(self, **options: Value) -> None:
        self.options: Mapping[str, Value] = self.info.complete(options)

    @property
    def name(self) -> str:
        """The model's name where there is one, else the component's."""
        return str(self.options.get("model") or self.info.name)

    @property
    def identity(self) -> str:
        """The component's name in fingerprints and index folders: the first one that it had."""
        return first_name(self.info.name)

    @property
    def lane(self) -> str:
        """The kind of resource that it occupies while it works: cpu, gpu or network."""
        return self.info.lane_of(self.options)

    @property
    def calls_out(self) -> bool:
        """Whether it sends texts to a provider or server, perhaps with a key."""
        return self.lane == "network"

    @property
    def epoch(self) -> int:
        """Changes when results of before may no longer hold; 0 where nothing outside decides."""
        return 0

    def prepare(self, ctx: Context) -> None:
        """Fetch what its fingerprint depends on and is not here yet, such as weights.

        Called before `fingerprint` by whoever keeps indexes or results under it.
        """

    def fingerprint(self) -> str:
        """What its results depend on, as 64 hexadecimal digits: name, options, weights."""
        return digest([self.identity, self.identifying_options(), self.weights_digest()])

    def identifying_options(self, *without: str) -> dict[str, Value]:
        """The options that decide results, by name: not the depth, none of execution only."""
        execution = {param.name for param in self.info.params if param.execution}
        left_out = execution | {self.info.depth_option, *without}
        return {k: v for k, v in sorted(self.options.items()) if k not in left_out}

    def weights_digest(self) -> str:
        """Digest or revision of the weights, "" without any: a changed model is another one."""
        return ""

    def problems(self) -> list[LabError]:
        """What would stop it from running here, found without heavy work."""
        return []

    def cost_estimate(self, query: Query, docs: Sequence[Document]) -> CostEstimate | None:
        """What one call for these documents would take of a provider; None when none is asked.

        Raises:
            LabError: the call itself would be refused, such as for an overlong query.
        """
        return None


def digest(parts: Sequence[object]) -> str:
    """SHA-256 of values that JSON can write, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
