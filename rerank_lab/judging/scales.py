"""Scales of relevance: which grades there are, what each one means, and the key that gives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from rerank_lab.core.errors import InvalidInput

MAX_GRADES = 10
"""Each grade has a digit key of its own."""


@dataclass(frozen=True, slots=True)
class ScaleGrade:
    """One grade of a scale: its value in the qrels, its short name, and when to give it."""

    value: int
    label: str
    meaning: str = ""


@dataclass(frozen=True)
class Scale:
    """Grades in ascending order. The key of a grade is its value where that is one digit.

    `guidelines` is Markdown for the judge; it may be edited for each session.

    Raises:
        InvalidInput: fewer than two grades, more than ten, or two with one value or one label.
    """

    name: str
    title: str
    grades: tuple[ScaleGrade, ...]
    guidelines: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        values = [grade.value for grade in self.grades]
        labels = [grade.label.strip() for grade in self.grades]
        if not 2 <= len(values) <= MAX_GRADES:
            raise InvalidInput(
                f"The scale {self.name!r} has {len(values)} grades.",
                hint=f"A scale needs 2 to {MAX_GRADES} grades.",
            )
        if values != sorted(set(values)) or not all(0 <= value <= 9 for value in values):
            raise InvalidInput(
                f"The grades of the scale {self.name!r} are {values}.",
                hint="Give each grade a value of its own, from 0 to 9, in ascending order.",
            )
        if len(set(labels)) < len(labels) or not all(labels):
            raise InvalidInput(
                f"Two grades of the scale {self.name!r} have one label, or one has none.",
                hint="Give each grade a label of its own.",
            )

    @cached_property
    def by_value(self) -> dict[int, ScaleGrade]:
        """The grades by value."""
        return {grade.value: grade for grade in self.grades}

    @property
    def highest(self) -> int:
        """The value of the best grade."""
        return self.grades[-1].value

    def check(self, value: int) -> int:
        """The value, if it is a grade of this scale.

        Raises:
            InvalidInput: it is not.
        """
        if value not in self.by_value:
            values = ", ".join(str(grade.value) for grade in self.grades)
            raise InvalidInput(
                f"{value} is no grade of the scale {self.title!r}.", hint=f"Its grades: {values}."
            )
        return value


_GUIDE = """Judge the document for the **question**, not for its style, length or age.

{lines}

- Read what the question needs before you read the document.
- Judge each document by itself, as if you had not seen the others.
- A document about the topic that does not answer is not a good answer.
- When you cannot tell, say so: an honest gap is better than a guess.
"""


def _scale(name: str, title: str, *grades: tuple[str, str]) -> Scale:
    scale_grades = tuple(ScaleGrade(value, *words) for value, words in enumerate(grades))
    lines = "\n".join(
        f"- **{grade.value} {grade.label}**: {grade.meaning}" for grade in scale_grades
    )
    return Scale(name, title, scale_grades, _GUIDE.format(lines=lines))


BINARY = _scale(
    "binary",
    "Relevant or not (0, 1)",
    ("not relevant", "it does not help to answer the question"),
    ("relevant", "it helps to answer the question"),
)
GRADED = _scale(
    "graded",
    "Four grades (0 to 3)",
    ("not relevant", "it has nothing to do with the question"),
    ("related", "on the topic, but it does not answer"),
    ("partly", "it answers a part, or the answer is hidden among other things"),
    ("answers", "it answers the question fully and plainly"),
)
FIVE = _scale(
    "five",
    "Five grades (0 to 4)",
    ("bad", "it has nothing to do with the question"),
    ("poor", "on the topic, but of no use"),
    ("fair", "of some use"),
    ("good", "it answers, with small gaps"),
    ("perfect", "nobody could wish for a better answer"),
)
UMBRELA = _scale(
    "umbrela",
    "TREC style, as UMBRELA uses it (0 to 3)",
    ("irrelevant", "it has nothing to do with the question"),
    ("related", "it seems related to the question but does not answer it"),
    ("highly relevant", "it has some answer, but unclear or among other information"),
    ("perfectly relevant", "it is about the question and holds the exact answer"),
)
SCALES = {scale.name: scale for scale in (GRADED, BINARY, FIVE, UMBRELA)}
"""The scales that the lab brings, by name; the first is the default."""


def own_scale(labels: tuple[str, ...], guidelines: str = "") -> Scale:
    """A scale of one's own, with grades 0, 1, 2, ... named by `labels` from worst to best."""
    grades = tuple(ScaleGrade(value, label.strip()) for value, label in enumerate(labels))
    return Scale("own", "Own labels: " + ", ".join(labels), grades, guidelines)
