"""Folders of experiments as earlier versions wrote them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from rerank_lab.evaluation.experiments import Cell, Design


def write_old_folder(home: Path, design: Design, cells: Iterable[Cell]) -> Path:
    """`experiments/<id>/` with a manifest and a line for each cell; gives the file of cells."""
    folder = home / "experiments" / design.id
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"format": 1} | design.to_json()), "utf-8")
    file = folder / "cells.jsonl"
    file.write_text("".join(json.dumps(_record(cell)) + "\n" for cell in cells), "utf-8")
    return file


def _record(cell: Cell) -> dict[str, Any]:
    ranking = cell.ranking
    return {
        "query_id": cell.query_id,
        "pipeline": cell.pipeline,
        "status": cell.status.value,
        "scale": None if ranking is None else ranking.scale,
        "doc_ids": None if ranking is None else list(ranking.doc_ids),
        "scores": None if ranking is None else [hit.score for hit in ranking.hits],
        "trace": cell.trace.to_json(),
        "failure": msgspec.to_builtins(cell.failure),
    }
