"""Queries and documents as a judge is shown them: unable to leave their tags or pose as an answer.

No wording keeps a model from believing what it reads. What can be kept up is that a text stays
between its tags, and that a model which merely repeats it gives no grade.
"""

from __future__ import annotations

import re

from rerank_lab.judging.scales import Scale
from rerank_lab.rerankers.llm.sanitise import cut, one_line, sanitised

MATERIAL_VERSION = 1
"""Raise it when judges are shown something else of the same texts: their names then change."""

_TAG = re.compile(
    r"<\s*/?\s*(?:document|query|passage|grades?|system|user|assistant)\b[^<>]*>?", re.I
)
_ANSWER_FIELD = re.compile(r"[\"'“”‘’«»]?\b(?:grade|better)\b[\"'“”‘’«»]?\s*[:：]", re.IGNORECASE)
_INERT_TAG = str.maketrans({"<": "‹", ">": "›"})
_INERT_BRACES = str.maketrans({"{": "(", "}": ")", "｛": "(", "｝": ")"})


def material(text: str) -> str:
    """One line of a query or document that holds no tag of a prompt and no answer of a judge."""
    line = _TAG.sub(lambda tag: tag[0].translate(_INERT_TAG), sanitised(text))
    return line.translate(_INERT_BRACES) if _ANSWER_FIELD.search(line) else line


def document_material(text: str, words: int) -> tuple[str, bool]:
    """What a judge is shown of a document, and whether it is only the first `words` words."""
    head, was_cut = cut(text, words)
    return material(head), was_cut


def grades_words(scale: Scale) -> str:
    """The grades of a scale for a prompt, a line each."""
    lines = []
    for grade in scale.grades:
        meaning = f": {one_line(grade.meaning)}" if grade.meaning else ""
        lines.append(f"{grade.value} = {one_line(grade.label)}{meaning}")
    return "\n".join(lines)
