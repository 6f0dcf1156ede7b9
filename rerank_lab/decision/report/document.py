"""The parts of a report. Every computed number carries its exact value and says what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReportNumber:
    """A number as it is printed, its exact value, and the quantity it is.

    `quantity` names the value for whoever recomputes it from the exported files: see
    docs/recompute_report.py.
    """

    text: str
    value: float
    quantity: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A text from outside, such as a query, an id, a spec or a version: shown as it stands."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters of the pipelines that a value significantly beats, and whose value it is."""

    text: str
    quantity: str


@dataclass(frozen=True, slots=True)
class Strong:
    """A part that stands out."""

    part: str | ReportNumber | Verbatim


Inline = str | ReportNumber | Verbatim | Letters | Strong
Words = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph. `lead` is the answer, `note` smaller, `warning` must not be overlooked."""

    words: Words
    kind: Literal["lead", "plain", "note", "warning"] = "plain"


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of short statements."""

    items: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table. `numbers` says by column whether it is aligned as numbers are.

    `faded` are the places of rows that are out of the running. `even` gives columns of texts the
    same width, however long the texts are.
    """

    headings: tuple[Words, ...]
    rows: tuple[tuple[Words, ...], ...]
    numbers: tuple[bool, ...]
    caption: str = ""
    faded: frozenset[int] = frozenset()
    even: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture: SVG markup made by `rerank_lab.decision.report.svg`, and what it shows in words.

    Its numbers stand in a table beside it.
    """

    svg: str
    alternative: str


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A command or a program, to be copied."""

    code: str


Block = Paragraph | Bullets | ReportTable | Chart | CodeBlock


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A heading with what stands below it. `name` is its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A whole report. `subtitle` stands below the title."""

    title: str
    subtitle: Words
    sections: tuple[ReportSection, ...]
