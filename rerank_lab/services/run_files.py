"""Runs of other systems as a use case: uploaded, checked against a corpus, kept, evaluated."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rerank_lab.components.registry import resolve
from rerank_lab.core.errors import InvalidInput, StorageError
from rerank_lab.core.paths import data_home
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.storage import write_file
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.runs import read_run
from rerank_lab.retrievers.run_file import UPLOADED, uploaded_run
from rerank_lab.services.access import Action, needs

_STEM = 40
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class UploadedRun:
    """A run of another system in the data folder.

    Attributes:
        name: of its file there.
        pipeline: what evaluates it, beside pipelines of the lab.
        answered: of the corpus' queries, how many it ranks documents for.
        asked: how many queries the corpus has.
        unknown: of the different documents that it ranks, how many the corpus lacks.
    """

    name: str
    pipeline: PipelineSpec
    answered: int
    asked: int
    unknown: int


@needs(Action.IMPORT, "name")
def add_run_file(name: str, content: bytes, corpus: Corpus) -> UploadedRun:
    """Keep a run in the data folder; the same content is kept once.

    Args:
        name: of the file as it was uploaded: only a readable part of it and its end are used.
        content: a TREC run, or another form that `rerank-lab measure` reads.
        corpus: that it was made over.

    Raises:
        InvalidInput: it is no run, or ranks no query or no document of the corpus.
        StorageError: it cannot be written.
    """
    stem, ends = _parts(name)
    stored = f"{stem}-{hashlib.sha256(content).hexdigest()[:_DIGITS]}{ends}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{stem}{ends}"
        file.write_bytes(content)
        rankings = read_run(file).rankings
    answered = sum(query.id in rankings for query in corpus.queries)
    if not answered:
        raise InvalidInput(
            f"{name} has none of the queries of {corpus.name}.",
            hint="Choose the run that was made with these queries; their ids must be equal.",
        )
    documents = {hit.doc_id for ranking in rankings.values() for hit in ranking}
    corpus.prefetch(documents)
    known, ids = corpus.by_id, corpus.document_ids
    unknown = sum(doc_id not in known and doc_id not in ids for doc_id in documents)
    if unknown == len(documents):
        raise InvalidInput(
            f"{name} has none of the documents of {corpus.name}.",
            hint="Choose the run that was made over this corpus; document ids must be equal.",
        )
    write_file(uploaded_run(stored), content)
    return UploadedRun(stored, _pipeline(stored), answered, len(corpus.queries), unknown)


def run_files() -> dict[str, PipelineSpec]:
    """What was uploaded so far: the name of each file and the pipeline that evaluates it."""
    folder = data_home() / "run-files"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return {name: _pipeline(name) for name in names if not name.startswith(".")}


@needs(Action.DELETE, "name")
def delete_run_file(name: str) -> None:
    """Delete an uploaded run; evaluations that were made of it keep their answers.

    Raises:
        InvalidInput: no run of this name was uploaded.
        StorageError: it cannot be deleted.
    """
    file = uploaded_run(name)
    if not file.is_file():
        raise InvalidInput(
            f"There is no uploaded run {name!r}.",
            hint="It may have been deleted already.",
        )
    try:
        file.unlink()
    except OSError as error:
        raise StorageError(
            f"{file} cannot be deleted: {error.strerror}.", hint="Check who may write there."
        ) from error


def _pipeline(name: str) -> PipelineSpec:
    return resolve(f'run(path="{UPLOADED}{name}")')


def _parts(name: str) -> tuple[str, str]:
    """A safe beginning and end for the name of a file."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(name.replace("\\", "/")).name)
    stem, dot, rest = plain.partition(".")
    ends = dot + rest if re.fullmatch(r"[A-Za-z0-9.]{1,24}", rest) else ".trec"
    return stem.strip("-")[:_STEM] or "run", ends
