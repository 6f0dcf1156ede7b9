"""TREC topics: the classic form with <top>, <num> and <title>, and the XML of later tracks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.judged.base import FoundQuery, JudgedFile, JudgedReader, Rows
from rerank_lab.corpora.source import clean_text

_TOPIC = re.compile(r"<top>(.*?)(?=<top>|\Z)", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(r"<(num|title|desc|narr|dom|smry|con|fac|def)\b[^>]*>", re.IGNORECASE)
_LABEL = re.compile(r"^(?:Number|Topic|Description|Narrative|Domain)\s*:", re.IGNORECASE)
_NAMES = {"desc": "description", "narr": "narrative"}
_TEXTS = ("query", "title", "text", "question", "description", "desc")
_NUMBERS = ("number", "num", "id", "qid", "identifier", "topic_id")


class ClassicTopics(JudgedReader[FoundQuery]):
    """Topics of TREC's ad hoc tracks; the title is the query."""

    name = "trec-topics"

    def recognises(self, file: JudgedFile) -> bool:
        """A line that is <top>."""
        return any(line.strip().lower().startswith("<top>") for line in file.head)

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a topic; description and narrative go to its meta."""
        return Rows(_classic(file, log), "TREC topics", {"id": "num", "text": "title"})


class XMLTopics(JudgedReader[FoundQuery]):
    """Topics in XML: <topic number="1"><query>...</query></topic> and its relatives."""

    name = "xml-topics"

    def recognises(self, file: JudgedFile) -> bool:
        """XML whose beginning has a topic or a query element."""
        start = "\n".join(file.head[:50]).lower()
        elements = ("<topic", "<query", "<parameters")
        return start.lstrip("\ufeff ").startswith("<") and any(e in start for e in elements)

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a topic; its other elements go to its meta."""
        return Rows(_xml(file, log), "XML topics")


class ConversationTopics(JudgedReader[FoundQuery]):
    """Conversations of TREC's CAsT: a topic has turns, and every turn is a query."""

    name = "conversations"

    def recognises(self, file: JudgedFile) -> bool:
        """A list of topics with turns."""
        topics = file.value if isinstance(file.value, list) else []
        return bool(topics) and all(isinstance(t, dict) and _turns(t) for t in topics)

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a turn, called topic_turn as in the track's judgments."""
        rows = (
            FoundQuery(number, f"{topic.get('number')}_{turn.get('number')}", turn["raw_utterance"])
            for number, topic in enumerate(file.value, 1)
            for turn in _turns(topic)
        )
        return Rows(rows, "turns of conversations", {"id": "number", "text": "raw_utterance"})


def _turns(topic: dict[str, Any]) -> list[dict[str, Any]]:
    turns = topic.get("turn")
    return [
        turn
        for turn in (turns if isinstance(turns, list) else ())
        if isinstance(turn, dict) and isinstance(turn.get("raw_utterance"), str)
    ]


def _classic(file: JudgedFile, log: ProblemLog) -> Iterator[FoundQuery]:
    text = "\n".join(line for _, line in file.lines(log))
    for topic in _TOPIC.finditer(text):
        line = text.count("\n", 0, topic.start()) + 1
        fields = _fields(re.sub(r"</\w+>", "", topic[1]))
        number = fields.get("num", "").split()
        title = fields.get("title") or fields.get("desc", "")
        if not number or not title:
            _incomplete(file, line, log)
            continue
        meta = {_NAMES[name]: fields[name] for name in _NAMES if fields.get(name)}
        yield FoundQuery(line, number[0], title, meta)


def _fields(topic: str) -> dict[str, str]:
    parts = _FIELD.split(topic)
    fields: dict[str, str] = {}
    for name, value in zip(parts[1::2], parts[2::2], strict=True):
        plain = " ".join(_LABEL.sub("", value.strip()).split())
        fields.setdefault(name.lower(), clean_text(plain).strip())
    return fields


def _xml(file: JudgedFile, log: ProblemLog) -> Iterator[FoundQuery]:
    from lxml import etree

    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    text = "\n".join(line for _, line in file.lines(log))
    text = re.sub(r"^\s*\ufeff?<\?xml[^>]*\?>", "", text)
    root = etree.fromstring(clean_text(text).encode(), parser)
    elements = [] if root is None else list(root.iter("topic"))
    if root is not None and not elements:
        elements = [e for e in root.iter("query") if len(e) or e.attrib]
    for element in elements:
        fields = _children(element)
        number = next((v for n in _NUMBERS if (v := element.get(n) or fields.get(n))), "")
        own = clean_text(" ".join((element.text or "").split()))
        words = next((fields[name] for name in _TEXTS if fields.get(name)), own)
        number = _LABEL.sub("", number.strip()).strip()
        if not number or not words:
            _incomplete(file, element.sourceline or 0, log)
            continue
        used = {*_NUMBERS, next((name for name in _TEXTS if fields.get(name)), "")}
        meta = {name: value for name, value in fields.items() if name not in used and value}
        yield FoundQuery(element.sourceline or 0, number, words, meta)


def _children(element: Any) -> dict[str, str]:
    fields: dict[str, str] = {}
    for child in element:
        if isinstance(child.tag, str):
            text = clean_text(" ".join("".join(child.itertext()).split()))
            fields.setdefault(child.tag.lower().rpartition("}")[2], text)
    return fields


def _incomplete(file: JudgedFile, line: int, log: ProblemLog) -> None:
    log.error(
        "The topic has no number or no title; it was left out.",
        "Give every topic <num> and <title>, or number and query.",
        file=file.name,
        line=line,
    )
