"""A run file as first stage, so that the results of any search engine can be reranked."""

from __future__ import annotations

import atexit
import hashlib
import re
import stat
import tempfile
from functools import cached_property, lru_cache
from pathlib import Path
from weakref import WeakValueDictionary

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError
from rerank_lab.core.paths import data_home, user_path
from rerank_lab.core.types import Query, Ranking, Run, Trace
from rerank_lab.corpora.addresses import bring
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.limits import LOCAL_LIMITS
from rerank_lab.corpora.runs import TREC_SCALE, read_run
from rerank_lab.remote.objects.address import is_address
from rerank_lab.retrievers.base import DEPTH, Retriever

UPLOADED = "uploaded:"
"""How the path of a run begins that was uploaded to the app; its name there follows."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def uploaded_run(name: str) -> Path:
    """Where a run of this name lies that was uploaded, there or not.

    Raises:
        InvalidInput: it is no plain name of a file.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:80]!r} is not the name of an uploaded run.",
            hint="Choose one of the uploaded runs on Evaluate.",
        )
    return data_home() / "run-files" / name


class RunFile(Retriever):
    """The rankings of a TREC run (or a .jsonl or .parquet run exported here), looked up.

    A query is found by its id, and a typed one by its text among the corpus' queries. Documents
    that the corpus lacks are left out, with a warning that counts them. In a corpus cut into
    passages, a document of the run stands for its passages, in their order.
    """

    info = Info(
        name="run",
        kind="retriever",
        family="file",
        has_index=False,
        live=True,
        summary="Candidates from a run file of any search engine, by query id.",
        scale=TREC_SCALE,
        params=(
            DEPTH,
            Param(
                "path",
                "",
                "A TREC run file or its address: query Q0 document rank score tag. uploaded:NAME "
                "for an upload.",
                label="File",
                local=True,
            ),
        ),
    )

    @cached_property
    def path(self) -> Path:
        """The run file, `~` expanded; `uploaded:NAME` is one that was uploaded to the app.

        One at an address (`s3://`, `gs://`, `https://`) is brought here once for this process.
        Raises LabError when it cannot be, InvalidInput when no file can be called so.
        """
        named = str(self.options["path"])
        if is_address(named):
            return _brought(named)
        if named.startswith(UPLOADED):
            return uploaded_run(named.removeprefix(UPLOADED))
        return user_path(named)

    def problems(self, corpus: Corpus | None = None) -> list[LabError]:
        """No file is named, or it is not there."""
        if not self.options["path"]:
            return [
                InvalidInput("run has no file.", hint='Name it: run(path="candidates.trec").'),
            ]
        try:
            path = self.path
        except LabError as error:
            return [error]
        if not path.is_file():
            return [InvalidInput(f"There is no run file {path}.", hint="Check the path.")]
        return []

    def weights_digest(self) -> str:
        """SHA-256 of the file, so that a changed file is another first stage."""
        try:
            state = self.path.stat() if self.options["path"] else None
        except OSError:
            state = None
        if state is None or not stat.S_ISREG(state.st_mode):
            raise self.problems(None)[0]
        return _sha256(self.path, state.st_mtime_ns, state.st_size)

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        for problem in self.problems(corpus):
            raise problem
        ctx.report("reading run")
        self._run = _parsed(self.path, self.weights_digest())
        self._by_text = {_plain(query.text): query.id for query in reversed(corpus.queries)}
        ranked_ids = set().union(*(ranking.doc_ids for ranking in self._run.rankings.values()))
        corpus.prefetch(ranked_ids)
        self._elsewhere = {
            doc_id: tuple(corpus.ids[number] for number in corpus.numbers_of(doc_id))
            for doc_id in ranked_ids
            if doc_id not in corpus.by_id
        }
        if len(self._elsewhere) == len(ranked_ids) and not any(self._elsewhere.values()):
            raise InvalidInput(
                f"None of the {len(ranked_ids):,} documents in {self.path.name} are in corpus "
                f"{corpus.name!r}.",
                hint="Choose the run that was made over this corpus; document ids must be equal.",
            )

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        ranking = self._given(query)
        doc_ids = () if ranking is None else ranking.doc_ids
        unknown = sum(self._elsewhere.get(doc_id) == () for doc_id in doc_ids)
        warning = f"{unknown} of the run's documents are not in the corpus and were left out"
        return self._search(query, k, ctx), Trace(warnings=(warning,) if unknown else ())

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        ranking = self._given(query)
        if ranking is None:
            return Ranking.from_scores(query.id, {}, self.info.scale)
        if self._elsewhere.keys().isdisjoint(ranking.doc_ids):
            top = ranking.top(k)
            if top.query_id == query.id:
                return top
            return Ranking.from_columns(query.id, top.doc_ids, top.scores, top.scale)
        doc_ids: list[str] = []
        scores: list[float | None] = []
        for doc_id, score in zip(ranking.doc_ids, ranking.scores, strict=True):
            units = self._elsewhere.get(doc_id, (doc_id,))
            doc_ids += units
            scores += [score] * len(units)
        return Ranking.from_columns(query.id, doc_ids[:k], scores[:k], ranking.scale)

    def _given(self, query: Query) -> Ranking | None:
        ranking = self._run.rankings.get(query.id)
        if not ranking:
            by_text = self._by_text.get(_plain(query.text), "")
            ranking = self._run.rankings.get(by_text)
        if ranking is None and query.text.strip():
            raise BackendError(
                f"The run {self.path.name} has no candidates for query {query.id!r} "
                f"({query.text[:80]!r}).",
                hint="Choose a query that the run answers, or another first stage.",
            )
        return ranking

    def close(self) -> None:
        """Let go of the rankings."""
        super().close()
        self.__dict__.pop("_run", None)
        self.__dict__.pop("_elsewhere", None)


@lru_cache(maxsize=16)
def _brought(address: str) -> Path:
    """The file of an address, until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="rerank-lab-run-")
    atexit.register(folder.cleanup)
    source = bring(address, Path(folder.name), limits=LOCAL_LIMITS)
    if source.path is None or source.path.is_dir():
        raise InvalidInput(f"{source.name} is a folder, not a file.", hint="Name one file in it.")
    return source.path


_PARSED: WeakValueDictionary[str, Run] = WeakValueDictionary()


def _parsed(path: Path, digest: str) -> Run:
    """The run of a file; the one that is in use where the same content was read before."""
    run = _PARSED.get(digest)
    if run is None:
        _PARSED[digest] = run = read_run(path)
    return run


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


@lru_cache(maxsize=64)
def _sha256(path: Path, _modified_ns: int, _size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
