"""XML dumps of MediaWiki and of Stack Exchange, read element by element.

No entity is expanded and nothing is fetched: a dump comes from anybody.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from rerank_lab.core.errors import LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping, Record, Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample, broken_file
from rerank_lab.corpora.readers.html import page_text
from rerank_lab.corpora.readers.wiki_text import plain_wiki_text
from rerank_lab.corpora.source import Source


class XMLDumpReader(Reader):
    """One document for every element of a name; subclasses say what stands in it."""

    mapping = ColumnMapping("text", "id", "title")
    root: ClassVar[bytes]
    element: ClassVar[str]

    def sniff(self, sample: Sample) -> Match | None:
        """The root element."""
        if self.root in sample.start:
            return Match(0.95, f"its root element is {self.root.decode()}>")
        return None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """A row an element; the lines that problems name are those of the file."""
        from lxml import etree

        try:
            with source.open() as stream:
                walker = etree.iterparse(
                    stream,
                    events=("end",),
                    tag=(self.element, "{*}" + self.element),
                    resolve_entities=False,
                    no_network=True,
                    load_dtd=False,
                )
                for _, element in walker:
                    record = self.record(element, source, log)
                    if record is not None:
                        yield element.sourceline or 0, record
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
        except LabError:
            raise
        except etree.LxmlError as error:
            raise broken_file(source, self.label, error) from error

    @abstractmethod
    def record(self, element: Any, source: Source, log: ProblemLog) -> Record | None:
        """The row that an element makes; None for one that is no document."""


class MediaWikiReader(XMLDumpReader):
    """Articles of a MediaWiki dump without their markup; redirects and other pages are counted."""

    name = "mediawiki"
    label = "MediaWiki dump"
    root, element = b"<mediawiki", "page"

    def record(self, element: Any, source: Source, log: ProblemLog) -> Record | None:
        """The title and the text of the last revision of an article."""
        if element.find("{*}redirect") is not None:
            log.tally(source.name, "redirects")
            return None
        if element.findtext("{*}ns", "0") != "0":
            log.tally(source.name, "pages of other name spaces")
            return None
        revisions = element.findall("{*}revision")
        text = revisions[-1].findtext("{*}text", "") if revisions else ""
        return {
            "id": element.findtext("{*}id"),
            "title": element.findtext("{*}title"),
            "text": plain_wiki_text(text),
        }


class StackExchangeReader(XMLDumpReader):
    """Posts of a Stack Exchange dump: questions with their titles, and answers."""

    name = "stackexchange"
    label = "Stack Exchange posts"
    root, element = b"<posts", "row"

    def record(self, element: Any, source: Source, log: ProblemLog) -> Record | None:
        """The visible text of a post, with its score, its tags and the question it answers."""
        body = element.get("Body")
        if body is None:
            log.tally(source.name, "rows without a body")
            return None
        about = {"parent_id": "ParentId", "score": "Score", "tags": "Tags"}
        meta = {name: element.get(key) for name, key in about.items() if element.get(key)}
        title = element.get("Title", "")
        return {"id": element.get("Id"), "title": title, "text": page_text(body)} | meta
