"""XML of any other kind: records that repeat (feeds, exports, Solr updates), or one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Record, Row
from rerank_lab.corpora.readers.base import (
    Match,
    PageReader,
    Reader,
    ReadOptions,
    Sample,
    broken_file,
    page_row,
)
from rerank_lab.corpora.readers.html import page_text
from rerank_lab.corpora.source import Source

_DEEPEST = 3
_RECORDS = {"add": ("doc",), "update": ("doc",), "response": ("doc",), "rss": ("item",),
            "feed": ("entry",)}  # fmt: skip
"""Root elements of Solr and of feeds, whose records are known where there is a single one."""
_FIELDS = ("field", "str", "arr", "int", "long", "date")
"""Elements of Solr, which name their column in an attribute."""


class XMLRecordsReader(Reader):
    """An element that repeats is a row, what stands in it are the columns."""

    name = "xml-records"
    label = "XML records"

    def sniff(self, sample: Sample) -> Match | None:
        """The beginning repeats an element that has others inside."""
        tag = _repeated(sample.head) if _is_xml(sample) else None
        return Match(0.6, f"it repeats the element <{tag}>") if tag else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The elements inside every record, and its attributes, by their names."""
        check_size(source.name, source.size, options.limits.page_file)
        tag = _repeated(source.head())
        root = _root(source, self.label)
        for element in root.iter("{*}" + tag if tag else "{*}*"):
            yield element.sourceline or 0, _record(element)


class XMLPageReader(PageReader):
    """XML that repeats no record: its visible text, without the tags."""

    name = "xml"
    label = "XML page"
    extensions = (".xml",)

    def sniff(self, sample: Sample) -> Match | None:
        """The extension, for what begins with a tag."""
        return self.by_extension(sample) if _is_xml(sample) else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row."""
        check_size(source.name, source.size, options.limits.page_file)
        root = _root(source, self.label)
        title = next((text for e in root.iter("{*}title") if (text := _text(e))), "")
        lines = (" ".join(text.split()) for text in root.itertext())
        yield page_row(source, title, "\n".join(line for line in lines if line))


def _is_xml(sample: Sample) -> bool:
    return sample.suffix in (".xml", ".rss", ".atom") and sample.start.startswith(b"<")


def _parser(*, recover: bool) -> Any:
    from lxml import etree

    return etree.XMLParser(
        recover=recover, resolve_entities=False, no_network=True, load_dtd=False, remove_pis=True,
        remove_comments=True,
    )  # fmt: skip


def _root(source: Source, label: str) -> Any:
    from lxml import etree

    try:
        root = etree.fromstring(source.read(), _parser(recover=False))
    except (etree.LxmlError, ValueError) as error:
        raise broken_file(source, label, error) from error
    return root


def _repeated(head: bytes) -> str | None:
    """The name of the shallowest element that stands at least twice with others inside."""
    from lxml import etree

    try:
        root = etree.fromstring(head, _parser(recover=True))
    except (etree.LxmlError, ValueError):
        return None
    level = [] if root is None else [root]
    for _ in range(_DEEPEST):
        level = [child for element in level for child in element if isinstance(child.tag, str)]
        names = Counter(_local(element) for element in level if len(element))
        if names and names.most_common(1)[0][1] > 1:
            return names.most_common(1)[0][0]
        single = [name for name in names if name in _RECORDS.get(_local(root), ())]
        if single:
            return single[0]
    return None


def _record(element: Any) -> Record:
    """The texts inside an element by column; one that repeats is a list."""
    record: Record = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name = child.get("name") if child.tag in _FIELDS else None
        text = _text(child)
        if not text:
            continue
        key = name or _local(child)
        if key in record:
            before = record[key] if isinstance(record[key], list) else [record[key]]
            record[key] = [*before, text]
        else:
            record[key] = text
    return record


def _text(element: Any) -> str:
    """The text of an element; HTML that is written in it as text is opened."""
    lines = (" ".join(text.split()) for text in element.itertext())
    text = "\n".join(line for line in lines if line)
    return page_text(text) if text.lstrip().startswith("<") else text


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
