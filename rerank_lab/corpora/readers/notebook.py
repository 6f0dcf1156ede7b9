"""Jupyter notebooks: a notebook is one document, of its text and code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.readers.json_array import read_json
from rerank_lab.corpora.readers.markdown import plain_heading
from rerank_lab.corpora.source import Source

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_KINDS = ("markdown", "code", "raw", "heading")


class NotebookReader(PageReader):
    """Cells of Markdown and code in their order. Outputs are left out, and nothing is run."""

    name = "notebook"
    label = "Jupyter notebook"
    extensions = (".ipynb",)

    def sniff(self, sample: Sample) -> Match | None:
        """The extension, for what begins with a brace."""
        return self.by_extension(sample, 0.95) if sample.start.startswith(b"{") else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row. Raises InvalidInput for JSON that is no notebook."""
        cells = _cells(read_json(source, options, log))
        if cells is None:
            raise InvalidInput(
                f"{source.name} is no notebook: it has no cells.",
                hint="Save it with Jupyter again, or give it another extension.",
            )
        texts = [(kind, text) for kind, text in map(_cell, cells) if text.strip()]
        outputs = sum(bool(cell.get("outputs")) for cell in cells if isinstance(cell, dict))
        if outputs:
            log.tally(source.name, "outputs left out", outputs)
        titles = (_HEADING.search(text) for kind, text in texts if kind == "markdown")
        title = next((plain_heading(match[1]) for match in titles if match), "")
        yield page_row(source, title, "\n\n".join(text for _, text in texts))


def _cells(notebook: Any) -> list[Any] | None:
    """The cells, which before version 4 stood in work sheets; None for what is no notebook."""
    if not isinstance(notebook, dict):
        return None
    sheets = notebook.get("worksheets")
    if isinstance(sheets, list):
        notebook = {"cells": [c for sheet in sheets for c in _cells(sheet) or ()]}
    cells = notebook.get("cells")
    return cells if isinstance(cells, list) else None


def _cell(cell: Any) -> tuple[str, str]:
    """(kind, text) of a cell; no text for what is none."""
    kind = cell.get("cell_type") if isinstance(cell, dict) else None
    if kind not in _KINDS:
        return "", ""
    source = cell.get("source", cell.get("input", ""))
    lines = source if isinstance(source, list) else [source]
    return kind, "".join(line for line in lines if isinstance(line, str))
