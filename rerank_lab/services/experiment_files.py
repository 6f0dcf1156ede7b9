"""Experiment files: corpus, queries, pipelines, measures and gates of an experiment in YAML.

    corpus: helpdesk
    pipelines:
      bm25: bm25
      l12: bm25(k=100) >> ms-marco-minilm-l12
    measures: [nDCG@10, RR@10]
    baseline: bm25
    gates:
      - nDCG@10 >= 0.45
      - not worse than baseline by 0.01

Paths are relative to the file. What is not understood is refused with its line, never passed over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import yaml

from rerank_lab.components.registry import expand, source_kind
from rerank_lab.core.errors import InvalidInput, LabError, nearest
from rerank_lab.core.paths import user_path
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.storage import disk_errors
from rerank_lab.decision.cost import CostTerms
from rerank_lab.decision.gate_checks import checked_names
from rerank_lab.decision.gates import BASELINE, Gate, parse_gate, parse_gates
from rerank_lab.evaluation.measure_names import parse_measures
from rerank_lab.evaluation.measures import DEFAULT_MEASURES
from rerank_lab.pipeline.pipeline import Pipeline

_MAX_BYTES = 1_000_000
_MAX_SEED = 2**32 - 1
_TEXT_TAG = "tag:yaml.org,2002:str"
_NAME = re.compile(r"[^:<>=≥≤\x00-\x1f\x7f]{1,80}")


class _Load(msgspec.Struct, forbid_unknown_fields=True):
    """The load that a cost is reckoned for; see CostTerms."""

    queries_per_month: int = 100_000
    peak: float = 1.0
    usd_per_hour: float | None = None


_FIELDS: Mapping[str, Any] = {
    "corpus": str,
    "queries": str,
    "qrels": str,
    "pipelines": dict[str, str],
    "measures": list[str],
    "baseline": str,
    "gates": list[str],
    "seed": int,
    "load": _Load,
}
_REQUIRED = ("corpus", "pipelines")


@dataclass(frozen=True, slots=True)
class ExperimentTerms:
    """What an experiment file says beside the evaluation itself; kept with the experiment.

    Attributes:
        pipelines: Name -> canonical spec, in the order of the file.
        measures: As stated, the primary one first.
        baseline: The name of the baseline, "" where there is none.
        gates: Their lines.
        seed: Of tests and intervals.
        load: What costs are reckoned for.
        path: The file.
    """

    pipelines: Mapping[str, str]
    measures: tuple[str, ...] = DEFAULT_MEASURES
    baseline: str = ""
    gates: tuple[str, ...] = ()
    seed: int = 0
    load: CostTerms = field(default_factory=CostTerms)
    path: str = ""

    @property
    def names(self) -> dict[str, str]:
        """How pipelines are called, by spec."""
        return {spec: name for name, spec in self.pipelines.items()}

    @property
    def parsed_gates(self) -> tuple[Gate, ...]:
        """The gates. Raises InvalidInput for a line that cannot be read."""
        return parse_gates(self.gates)

    @property
    def all_measures(self) -> tuple[str, ...]:
        """The measures stated, and those that a gate names beside them."""
        of_gates = [gate.measure for gate in self.parsed_gates if gate.measure]
        return tuple(dict.fromkeys((*self.measures, *of_gates)))

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written

    @classmethod
    def from_json(cls, written: object) -> ExperimentTerms:
        """The terms that `to_json` wrote. Raises ValueError for anything else."""
        return msgspec.convert(written, cls)


@dataclass(frozen=True, slots=True)
class ExperimentFile:
    """An experiment file that was read and checked.

    Attributes:
        path: The file.
        corpus: A sample's or imported corpus' name, or an absolute path.
        queries: A file of queries in place of the corpus' own, None for these.
        qrels: A file of judgments in place of the corpus' own, None for these.
        terms: Everything else.
    """

    path: Path
    corpus: str
    queries: Path | None
    qrels: Path | None
    terms: ExperimentTerms


def read_experiment_file(path: str | Path) -> ExperimentFile:
    """Read and check an experiment file, without any other work.

    Raises:
        InvalidInput: The file cannot be read, or something in it is not understood; every problem
            is listed with its line.
    """
    file = user_path(path)
    try:
        with disk_errors(file):
            data = file.read_bytes()
    except LabError as error:
        if file.is_file():
            raise
        raise InvalidInput(
            f"There is no experiment file {str(path)!r}.", hint="Check the path."
        ) from error
    return parse_experiment_file(data, file.absolute())


def parse_experiment_file(data: bytes, path: Path) -> ExperimentFile:
    """The experiment file of these bytes; `path` is where it stands. Raises as above."""
    values, lines = _Document(data, path.name).fields()
    reader = _Checks(path, values, lines)
    read = reader.read()
    if reader.problems:
        raise _unreadable(path.name, reader.problems)
    return read


class _Document:
    """The YAML of a file: plain values by key, with the line of each."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        if len(data) > _MAX_BYTES:
            raise _unreadable(name, [f"it is {len(data):,} bytes long; {_MAX_BYTES:,} are read"])
        try:
            text = data.decode("utf-8-sig")
            self.root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.problems = list(_refused(self.root, set())) if self.root is not None else []
            self.values = {} if self.problems else yaml.safe_load(text)
        except UnicodeDecodeError:
            raise _unreadable(name, ["it is not text in UTF-8"]) from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise _unreadable(name, [_yaml_words(error)]) from None

    def fields(self) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
        """The top-level values, and lines by path from the top."""
        if self.problems:
            raise _unreadable(self.name, self.problems)
        if not isinstance(self.values, dict):
            raise _unreadable(self.name, ["it holds no keys such as corpus and pipelines"])
        return self.values, dict(_lines(self.root, ()))


def _refused(node: Any, seen_ids: set[int]) -> Iterator[str]:
    """What is refused anywhere in a document: keys given twice, and aliases."""
    if id(node) in seen_ids:
        yield f"line {_line(node)}: anchors and aliases (& and *) are not read; write it out"
        return
    seen_ids.add(id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.value == "<<":
                yield f"line {_line(key)}: << is not read; write it out"
            elif key.tag != _TEXT_TAG:
                yield f"line {_line(key)}: put the key {_key_words(key)} in quotes"
            if str(key.value) in lines:
                first = lines[str(key.value)]
                yield f"line {_line(key)}: the key {key.value!r} stands on line {first} already"
            lines.setdefault(str(key.value), _line(key))
            yield from _refused(value, seen_ids)
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _refused(one, seen_ids)


def _lines(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, str(key.value)), _line(key)
            yield from _lines(value, (*path, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for place, one in enumerate(node.value):
            yield (*path, place), _line(one)
            yield from _lines(one, (*path, place))


def _key_words(key: Any) -> str:
    return str(key.value)[:40] if isinstance(key, yaml.ScalarNode) else "here"


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _yaml_words(error: Exception) -> str:
    """What PyYAML says of a text that is no YAML, with its line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    where = f"line {mark.line + 1}: " if mark is not None else ""
    return f"{where}it is not valid YAML ({problem})"


def _unreadable(name: str, problems: list[str]) -> InvalidInput:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InvalidInput(
        f"The experiment file {name} cannot be used: {problems[0]}{more}.",
        hint="See docs/gates.md for the keys of an experiment file.",
        problems=problems,
    )


class _Checks:
    """Reads the values of a file; what is wrong is collected with its line."""

    def __init__(
        self, path: Path, values: dict[str, Any], lines: Mapping[tuple[str | int, ...], int]
    ) -> None:
        self.path, self.values, self.lines = path, values, lines
        self.problems: list[str] = []

    def read(self) -> ExperimentFile:
        """The file; meaningless once there is a problem."""
        values = self._typed()
        pipelines = self._pipelines(values.get("pipelines", {}))
        measures = self._measures(values.get("measures", []))
        baseline = values.get("baseline", "")
        if baseline and baseline not in pipelines and not self.problems:
            near = nearest(baseline, pipelines)
            self._wrong(("baseline",), f"{baseline!r} is none of the pipelines{near}")
        load: _Load = values.get("load", _Load())
        amounts = (load.queries_per_month - 1, load.peak - 1, load.usd_per_hour or 0.0)
        if not all(0 <= amount < math.inf for amount in amounts):
            self._wrong(
                ("load",),
                "queries_per_month and peak must be 1 or more, usd_per_hour 0 or more",
            )
        seed = values.get("seed", 0)
        if not 0 <= seed <= _MAX_SEED:
            self._wrong(("seed",), f"the seed must be 0 to {_MAX_SEED:,}")
        terms = ExperimentTerms(
            pipelines,
            tuple(measures or DEFAULT_MEASURES),
            baseline,
            tuple(self._gates(values.get("gates", []), list(pipelines), baseline)),
            seed,
            CostTerms(load.queries_per_month, load.peak, load.usd_per_hour),
            str(self.path),
        )
        return ExperimentFile(
            self.path,
            self._corpus(values.get("corpus", "")),
            self._file(values, "queries"),
            self._file(values, "qrels"),
            terms,
        )

    def _typed(self) -> dict[str, Any]:
        """The values that have the type of their key."""
        typed = {}
        for key, value in self.values.items():
            if key not in _FIELDS:
                near = nearest(str(key), _FIELDS)
                known = "" if near else f"; the keys are {', '.join(_FIELDS)}"
                self._wrong((str(key),), f"there is no key {str(key)!r}{near}{known}")
                continue
            try:
                typed[key] = msgspec.convert(value, _FIELDS[key])
            except msgspec.ValidationError as error:
                self._wrong(*_place(key, value, str(error)))
        for key in _REQUIRED:
            if key not in self.values:
                self.problems.append(f"the key {key!r} is missing")
        return typed

    def _pipelines(self, specs: Mapping[str, str]) -> dict[str, str]:
        pipelines: dict[str, str] = {}
        for name, text in specs.items():
            try:
                spec = str(Pipeline(_with_paths(Pipeline(text).spec, self.path.parent)))
            except LabError as error:
                self._wrong(("pipelines", name), f"{name}: {error.message.rstrip('.')}")
                continue
            if not _NAME.fullmatch(name) or name != name.strip() or name == BASELINE:
                self._wrong(
                    ("pipelines", name),
                    f"{name!r} cannot name a pipeline: up to 80 characters without : < > =, and "
                    f"not the word {BASELINE}",
                )
            twin = next((one for one, other in pipelines.items() if other == spec), "")
            if twin:
                self._wrong(("pipelines", name), f"{name} is the same pipeline as {twin}")
            pipelines[name] = spec
        if "pipelines" in self.values and not specs and not self.problems:
            self._wrong(("pipelines",), "there is no pipeline")
        return pipelines

    def _measures(self, names: list[str]) -> list[str]:
        for place, name in enumerate(names):
            try:
                parse_measures([name])
            except InvalidInput as error:
                self._wrong(("measures", place), error.message.rstrip("."))
        return [name.strip() for name in names]

    def _gates(self, lines: list[str], names: list[str], baseline: str) -> list[str]:
        for place, line in enumerate(lines):
            try:
                gate = parse_gate(line)
                if not self.problems:
                    checked_names([gate], names, baseline)
            except InvalidInput as error:
                self._wrong(("gates", place), error.message.rstrip("."))
        return lines

    def _corpus(self, reference: str) -> str:
        """A path beside the file where there is one, else the name as it is."""
        if "corpus" in self.values and not reference.strip() and not self.problems:
            self._wrong(("corpus",), "no corpus is named")
        beside = self.path.parent / reference
        return str(beside) if reference and beside.exists() else reference

    def _file(self, values: Mapping[str, Any], key: str) -> Path | None:
        if not values.get(key):
            return None
        file = self.path.parent / user_path(values[key])
        if not file.is_file():
            self._wrong((key,), f"there is no file {values[key]!r} beside {self.path.name}")
        return file

    def _wrong(self, place: tuple[str | int, ...], problem: str) -> None:
        line = next(
            (
                self.lines[place[:end]]
                for end in range(len(place), 0, -1)
                if place[:end] in self.lines
            ),
            0,
        )
        self.problems.append(f"line {line}: {problem}" if line else problem)


def _place(key: str, value: Any, message: str) -> tuple[tuple[str | int, ...], str]:
    """Where a value has the wrong type, and what is wrong, from what msgspec says."""
    words, _, inner = message.partition(" - at `$")
    place: list[str | int] = [key]
    step = inner.rstrip("`")
    if match := re.match(r"\[(\d+)\]", step):
        place.append(int(match[1]))
    elif match := re.match(r"\.(\w+)", step):
        place.append(match[1])
    elif step.startswith("[...]") and isinstance(value, dict):
        wrong = [name for name, one in value.items() if not isinstance(one, str)]
        place += wrong[:1]
    name = ".".join(str(part) for part in place if isinstance(part, str))
    plain = words.replace("`str`", "a text (in quotes where YAML reads something else)")
    for code, noun in (
        ("`int`", "a whole number"), ("`float`", "a number"), ("`array`", "a list"),
        ("`object`", "keys with values"), ("`null`", "nothing"), ("`bool`", "true or false"),
    ):  # fmt: skip
        plain = plain.replace(code, noun)
    return tuple(place), f"{name}: {plain[:1].lower()}{plain[1:]}"


def _with_paths(spec: PipelineSpec, folder: Path) -> PipelineSpec:
    """The spec with paths in its options that are relative to `folder` made absolute."""
    source, *stages = spec.nodes
    return PipelineSpec(
        (
            _node_with_paths(source, "retriever", folder),
            *(_node_with_paths(stage, "reranker", folder) for stage in stages),
        )
    )


def _node_with_paths(node: Node, kind: Any, folder: Path) -> Node:
    if node.sources:
        sources = tuple(
            _node_with_paths(one, source_kind(one) if kind == "reranker" else kind, folder)
            for one in node.sources
        )
        return replace(node, sources=sources)
    info, _ = expand(node, kind)
    local = {param.name for param in info.params if param.local}
    changed = {
        name: str(folder / value)
        for name, value in node.options
        if name in local and isinstance(value, str) and value and (folder / value).exists()
    }
    return node.with_options(**changed) if changed else node
