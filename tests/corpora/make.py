"""Small files of each kind, made on the spot."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Qrels, Run
from rerank_lab.corpora.judged import read_judgments
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.judged.base import JudgedFile
from rerank_lab.corpora.readers.judged.trec import TrecRun
from rerank_lab.corpora.runs import run_of
from rerank_lab.corpora.source import Source


def jsonl(*records: Mapping[str, Any]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def zipped(members: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def folder(path: Path, members: Mapping[str, bytes | str]) -> Path:
    for name, data in members.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


BEIR = {
    "corpus.jsonl": jsonl(
        {"_id": "a", "title": "Cats", "text": "Cats purr.", "metadata": {"url": "u1"}},
        {"_id": "b", "title": "", "text": "Dogs bark."},
        {"_id": "c", "title": "Cows", "text": "Cows moo."},
    ),
    "queries.jsonl": jsonl({"_id": "q1", "text": "who purrs"}, {"_id": "q2", "text": "who moos"}),
    "qrels/train.tsv": "query-id\tcorpus-id\tscore\nq1\tb\t1\n",
    "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\ta\t2\nq2\tc\t1\nq2\tb\t0\n",
}


def pdf(*pages: str, password: str = "") -> bytes:
    """A PDF with one line of text a page; an empty page has no text layer."""
    from pypdf import PdfReader, PdfWriter

    out = pdf_of_streams(
        [f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET" if text else "" for text in pages]
    )
    if not password:
        return out
    writer, locked = PdfWriter(clone_from=PdfReader(io.BytesIO(out))), io.BytesIO()
    writer.encrypt(password, algorithm="RC4-128")
    writer.write(locked)
    return locked.getvalue()


def placed_pdf(lines: Iterable[tuple[int, int, str]]) -> bytes:
    """A PDF of one page with texts at places (x, y), in points from its lower left."""
    return pdf_of_streams(
        ["\n".join(f"BT /F1 10 Tf {x} {y} Td ({text}) Tj ET" for x, y, text in lines)]
    )


def pdf_of_streams(streams: Iterable[str]) -> bytes:
    """A PDF with a page for each stream of drawing commands."""
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", font]
    kids = []
    for stream in streams:
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF".encode()
    return out


def docx(*paragraphs: str, table: tuple[str, ...] = ()) -> bytes:
    import docx as python_docx

    document, out = python_docx.Document(), io.BytesIO()
    for text in paragraphs:
        document.add_paragraph(text)
    if table:
        cells = document.add_table(1, len(table)).rows[0].cells
        for cell, text in zip(cells, table, strict=True):
            cell.text = text
    document.add_paragraph("The end.")
    document.save(out)
    return out.getvalue()


def run_of_lines(lines: Iterable[str], log: ProblemLog, name: str = "run.trec") -> Run:
    """The run that lines of TREC make up, as reading a file of them gives it."""
    source = Source(name, data="\n".join(line.rstrip("\n") for line in lines).encode())
    return run_of(TrecRun().read(JudgedFile(source, ReadOptions()), log).rows, log, name)


def qrels_of_lines(lines: Iterable[str], log: ProblemLog, name: str = "qrels.txt") -> Qrels:
    """The judgments that lines make up, as reading a file of them gives them."""
    source = Source(name, data="\n".join(lines).encode())
    return read_judgments(source, ReadOptions(), log).qrels
