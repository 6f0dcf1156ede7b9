"""The spec string: one text that names a pipeline in code, URLs, files, cache keys and reports.

    pipeline  := source (">>" stage)*
    source    := component | fusion "(" source ("," source)* ("," option)* ")"
    stage     := component | fusion "(" stage ("," stage)* ("," option)* ")"
    component := name | name "(" option ("," option)* ")"
    option    := key "=" literal            literal := number | "text" | true | false

This module knows the grammar only. Which names and options exist is the registry's business.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace

from rerank_lab.core.errors import InvalidInput

Literal = str | int | float | bool
Options = tuple[tuple[str, Literal], ...]

MAX_SPEC_CHARS = 4000
_MAX_DEPTH = 8
_MAX_DIGITS = 100
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<arrow>>>)
      | (?P<punct>[(),=])
      | (?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")
      | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.-]))
      | (?P<name>[A-Za-z0-9_][\w./-]*)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Node:
    """One component with its options, sorted by key; a fusion also has the sources it fuses."""

    name: str
    options: Options = ()
    sources: tuple[Node, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(sorted(self.options)))

    @property
    def values(self) -> dict[str, Literal]:
        """The options by name."""
        return dict(self.options)

    def with_options(self, **options: Literal) -> Node:
        """This node with some options changed or added."""
        return replace(self, options=tuple({**self.values, **options}.items()))

    def __str__(self) -> str:
        inside = [str(source) for source in self.sources]
        inside += [f"{key}={format_literal(value)}" for key, value in self.options]
        return f"{self.name}({','.join(inside)})" if inside else self.name

    def __rshift__(self, other: Node | PipelineSpec) -> PipelineSpec:
        return PipelineSpec((self,)) >> other


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """A source followed by reranking stages. `str()` of it parses back to an equal value."""

    nodes: tuple[Node, ...]

    @property
    def source(self) -> Node:
        """The first stage, or the fusion of several."""
        return self.nodes[0]

    @property
    def stages(self) -> tuple[Node, ...]:
        """The reranking stages."""
        return self.nodes[1:]

    def prefix(self, length: int) -> PipelineSpec:
        """The first `length` nodes, counting the source."""
        return PipelineSpec(self.nodes[:length])

    def __str__(self) -> str:
        return " >> ".join(str(node) for node in self.nodes)

    def __rshift__(self, other: Node | PipelineSpec) -> PipelineSpec:
        more = other.nodes if isinstance(other, PipelineSpec) else (other,)
        return PipelineSpec(self.nodes + more)


def parse(text: str) -> PipelineSpec:
    """Parse a spec string. Raises InvalidInput that points at the character at fault."""
    if len(text) > MAX_SPEC_CHARS:
        raise InvalidInput(
            f"The pipeline is {len(text):,} characters long; at most {MAX_SPEC_CHARS:,} are read.",
            hint="Shorten it.",
        )
    return _Parser(text).pipeline()


def format_literal(value: Literal) -> str:
    """How an option's value is written; floats keep every digit, text is quoted as in JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def pipeline(self) -> PipelineSpec:
        nodes = [self.node(0)]
        while self.take("arrow"):
            nodes.append(self.node(0))
        if self.peek() is not None or self.text[self.at :].strip():
            raise self.wrong('">>" or the end')
        return PipelineSpec(tuple(nodes))

    def node(self, depth: int) -> Node:
        name = self.take("name")
        if name is None:
            raise self.wrong("the name of a component, such as bm25")
        if depth > _MAX_DEPTH:
            raise self.wrong(f"at most {_MAX_DEPTH} levels of brackets")
        sources: list[Node] = []
        options: dict[str, Literal] = {}
        if self.take("punct", "("):
            while not self.take("punct", ")"):
                self.argument(sources, options, depth)
                if not self.take("punct", ",") and not self.at_close():
                    raise self.wrong('"," or ")"')
        return Node(name, tuple(options.items()), tuple(sources))

    def argument(self, sources: list[Node], options: dict[str, Literal], depth: int) -> None:
        start = self.at
        key = self.take("name")
        if key is not None and self.take("punct", "="):
            if key in options:
                raise self.wrong(f"{key!r} only once", start)
            options[key] = self.literal()
            return
        self.at = start
        if options:
            raise self.wrong("sources before options, or an option such as k=60")
        sources.append(self.node(depth + 1))

    def literal(self) -> Literal:
        quoted = self.take("text")
        if quoted is not None:
            try:
                return str(json.loads(quoted))
            except ValueError:
                raise self.wrong("a text with valid escapes") from None
        number = self.take("number")
        if number is not None:
            if len(number) > _MAX_DIGITS:
                raise self.wrong(f"a number of at most {_MAX_DIGITS} digits")
            value = float(number) if re.search(r"[.eE]", number) else int(number)
            if not math.isfinite(value):
                raise self.wrong("a finite number")
            return value
        word = self.take("name")
        if word in ("true", "false"):
            return word == "true"
        raise self.wrong('a number, "text in quotes", true or false')

    def peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self.text, self.at)

    def at_close(self) -> bool:
        token = self.peek()
        return token is not None and token["punct"] == ")"

    def take(self, kind: str, exactly: str | None = None) -> str | None:
        token = self.peek()
        if token is None or token[kind] is None or (exactly is not None and token[kind] != exactly):
            return None
        self.at = token.end()
        return token[kind]

    def wrong(self, expected: str, at: int | None = None) -> InvalidInput:
        at = self.at if at is None else at
        rest = self.text[at:].lstrip()
        place = len(self.text) - len(rest) + 1
        actual = f"found {rest[:24]!r}" if rest else "found the end"
        return InvalidInput(
            f"The pipeline cannot be read at character {place}: expected {expected}, {actual}.",
            hint='Write it like: bm25(k=100) >> cross-encoder(model="ms-marco-minilm-l12",top=50)',
        )
