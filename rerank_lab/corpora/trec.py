"""Runs and judgments on disk: TREC text files, and JSONL and Parquet for runs.

TREC run lines are `query Q0 document rank score tag`; judgments are `query 0 document grade`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from rerank_lab.core.errors import ContractViolation, InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.storage import atomic_write, write_file
from rerank_lab.core.types import Hit, Qrels, Ranking, Run

TREC_SCALE = "run"
"""The scale of a score read from a TREC file, which does not say what its scores are."""
_SPACE = re.compile(r"\s")
_RUN_HINT = "Give six columns a line: query Q0 document rank score tag."


def read_qrels(path: str | Path) -> dict[str, dict[str, int]]:
    """TREC judgments. Raises InvalidInput listing every line that cannot be used."""
    file = Path(path)
    log = ProblemLog()
    qrels = parse_qrels(_lines(file), log, file.name)
    log.raise_errors(
        f"{file.name} is not a valid TREC judgment file.",
        "Give four columns a line: query 0 document grade, the grade a whole number.",
    )
    return qrels


def parse_qrels(
    lines: Iterable[tuple[int, str]], log: ProblemLog, file: str
) -> dict[str, dict[str, int]]:
    """Judgments from numbered lines; lines that cannot be used are reported and left out."""
    qrels: dict[str, dict[str, int]] = {}
    for number, line in lines:
        cells = line.split()
        if not cells or (line.startswith("#") and len(cells) != 4):
            continue
        if len(cells) != 4:
            log.error(
                f"The line has {len(cells)} columns, not 4.",
                "Write: query 0 document grade.",
                file=file,
                line=number,
            )
            continue
        add_judgment(qrels, (cells[0], cells[2], cells[3]), log, file=file, line=number)
    return qrels


def add_judgment(
    qrels: dict[str, dict[str, int]],
    row: tuple[str, str, object],
    log: ProblemLog,
    *,
    file: str,
    line: int,
) -> None:
    """Add (query id, document id, grade) unless the grade is no whole number or contradicts."""
    query_id, doc_id, given = row
    grade = _whole(given)
    if grade is None:
        log.error(
            f"The grade {given!r} is not a whole number.",
            "Grade with whole numbers, such as 0 (not relevant) to 3 (answers it).",
            file=file,
            line=line,
            field="grade",
        )
        return
    known = qrels.setdefault(query_id, {})
    if known.setdefault(doc_id, grade) != grade:
        log.error(
            f"Query {query_id!r} and document {doc_id!r} are judged again, {grade} after "
            f"{known[doc_id]}; the first is kept.",
            "Keep one judgment for each pair.",
            file=file,
            line=line,
        )


def write_qrels(qrels: Qrels, path: str | Path) -> None:
    """TREC judgments, in the order given."""
    rows = [(q, d, grade) for q, judged in qrels.items() for d, grade in judged.items()]
    _check_ids(name for q, d, _ in rows for name in (q, d))
    write_file(Path(path), "".join(f"{q} 0 {d} {grade}\n" for q, d, grade in rows))


def read_run(path: str | Path) -> Run:
    """A run from a TREC file, or from .jsonl or .parquet as `write_run` makes them.

    As in trec_eval, scores decide a TREC run's order; its rank column only breaks ties (then the
    order in the file). Raises InvalidInput listing every line that cannot be used.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidInput(f"There is no run file {file}.", hint="Check the path of the run.")
    try:
        if file.suffix == ".jsonl":
            return _read_jsonl(file)
        if file.suffix == ".parquet":
            return _read_parquet(file)
    except (ValueError, KeyError, TypeError, IndexError, ContractViolation) as error:
        raise InvalidInput(
            f"{file.name} is not a run that this program wrote: {error}.",
            hint="Give a TREC run file, or export the run again.",
        ) from error
    log = ProblemLog()
    run = parse_run(_lines(file), log, str(file))
    log.raise_errors(f"{file.name} is not a valid TREC run.", _RUN_HINT)
    if not run.rankings:
        raise InvalidInput(f"{file.name} holds no ranking.", hint=_RUN_HINT)
    return run


def parse_run(lines: Iterable[tuple[int, str]], log: ProblemLog, file: str) -> Run:
    """A run from numbered TREC lines; lines that cannot be used are reported and left out."""
    rows: dict[str, dict[str, tuple[float, float]]] = {}
    tag = ""
    for number, line in lines:
        cells = line.split()
        if not cells:
            continue
        rank, score = (_finite(cells[3]), _finite(cells[4])) if len(cells) >= 6 else (None, None)
        if rank is None or score is None:
            what = (
                f"The line has {len(cells)} columns, not 6."
                if len(cells) < 6
                else (f"Rank {cells[3]!r} or score {cells[4]!r} is not a finite number.")
            )
            log.error(what, _RUN_HINT, file=file, line=number)
            continue
        tag = tag or cells[5]
        if cells[2] in rows.setdefault(cells[0], {}):
            log.error(
                f"Document {cells[2]!r} is listed twice for query {cells[0]!r}.",
                "List every document once for a query.",
                file=file,
                line=number,
            )
            continue
        rows[cells[0]][cells[2]] = (rank, score)
    rankings = {query_id: _ranked(query_id, found) for query_id, found in rows.items()}
    return Run(tag or Path(file).stem, f"run(path={json.dumps(file)})", rankings)


def write_run(run: Run, path: str | Path) -> None:
    """Write a run: .jsonl and .parquet keep everything, anything else is a TREC run file.

    TREC scores are printed so that they strictly decrease as 32-bit floats, because trec_eval
    reads them as such and ignores ranks: a tied or missing score is moved by the least amount
    (a missing one by 1) below its predecessor.
    """
    file = Path(path)
    if file.suffix == ".jsonl":
        write_file(file, "".join(_jsonl_lines(run)))
    elif file.suffix == ".parquet":
        _write_parquet(run, file)
    else:
        write_file(file, "".join(trec_lines(run)))


def trec_lines(run: Run) -> Iterator[str]:
    """The lines of the TREC run file, with line ends."""
    tag = _SPACE.sub("_", run.name) or "run"
    for query_id, ranking in run.rankings.items():
        _check_ids((query_id, *ranking.doc_ids))
        for hit, score in zip(ranking.hits, _strictly_decreasing(ranking), strict=True):
            yield f"{query_id} Q0 {hit.doc_id} {hit.rank} {score:.9g} {tag}\n"


def _strictly_decreasing(ranking: Ranking) -> list[float]:
    scores: list[float] = []
    with np.errstate(over="ignore"):
        for hit in ranking.hits:
            above = np.float32(scores[-1]) if scores else np.float32(np.inf)
            if hit.score is None:
                wanted = above - np.float32(1) if scores else np.float32(len(ranking))
            else:
                wanted = np.float32(hit.score)
            if not wanted < above:
                wanted = np.nextafter(above, np.float32(-np.inf))
            scores.append(float(wanted))
    if all(map(math.isfinite, scores)):
        return scores
    return [float(len(ranking) - position) for position in range(len(ranking))]


def _ranked(query_id: str, rows: dict[str, tuple[float, float]]) -> Ranking:
    by_rank = sorted(rows, key=lambda doc_id: rows[doc_id][0])
    scores = {doc_id: score for doc_id, (_, score) in rows.items()}
    return Ranking.from_scores(query_id, scores, TREC_SCALE, previous=by_rank)


def _jsonl_lines(run: Run) -> Iterator[str]:
    yield json.dumps({"run": run.name, "spec": run.spec}) + "\n"
    for query_id, ranking in run.rankings.items():
        hits = [[hit.doc_id, hit.score] for hit in ranking.hits]
        shown = {"query_id": query_id, "scale": ranking.scale, "hits": hits}
        yield json.dumps(shown) + "\n"


def _read_jsonl(file: Path) -> Run:
    lines = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
    head, rest = lines[0], lines[1:]
    rankings: dict[str, Ranking] = {}
    for item in rest:
        hits = tuple(Hit(d, rank, score) for rank, (d, score) in enumerate(item["hits"], 1))
        rankings[item["query_id"]] = Ranking(item["query_id"], hits, item["scale"])
    return Run(head["run"], head["spec"], rankings)


def _write_parquet(run: Run, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    hits = [(q, hit) for q, ranking in run.rankings.items() for hit in ranking.hits]
    table = pa.table(
        {
            "query_id": pa.array([q for q, _ in hits], pa.string()),
            "doc_id": pa.array([hit.doc_id for _, hit in hits], pa.string()),
            "rank": pa.array([hit.rank for _, hit in hits], pa.int32()),
            "score": pa.array([hit.score for _, hit in hits], pa.float64()),
        }
    )
    scales = {q: ranking.scale for q, ranking in run.rankings.items()}
    about = {"name": run.name, "spec": run.spec, "scales": scales}
    table = table.replace_schema_metadata({"rerank_lab": json.dumps(about)})
    with atomic_write(file) as stream:
        pq.write_table(table, stream)


def _read_parquet(file: Path) -> Run:
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    about = json.loads((table.schema.metadata or {})[b"rerank_lab"])
    hits: dict[str, list[Hit]] = {query_id: [] for query_id in about["scales"]}
    for row in table.to_pylist():
        hits[row["query_id"]].append(Hit(row["doc_id"], row["rank"], row["score"]))
    rankings = {q: Ranking(q, tuple(hits[q]), scale) for q, scale in about["scales"].items()}
    return Run(about["name"], about["spec"], rankings)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        with file.open(encoding="utf-8-sig") as stream:
            yield from enumerate(stream, 1)
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {file}.", hint="Check the path.") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{file.name} is not UTF-8 text: {error.reason}.", hint="Save it as UTF-8 text."
        ) from error


def _whole(given: object) -> int | None:
    if isinstance(given, bool):
        return int(given)
    try:
        value = float(str(given))
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _finite(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _check_ids(ids: Iterable[str]) -> None:
    bad = [name for name in ids if not name or _SPACE.search(name)]
    if bad:
        raise InvalidInput(
            f"{len(bad):,} ids are empty or hold spaces, the first is {bad[0]!r}; TREC files "
            "separate columns by spaces.",
            hint="Export as JSONL or Parquet instead, or give the documents ids without spaces.",
            problems=[repr(name) for name in bad[:50]],
        )
