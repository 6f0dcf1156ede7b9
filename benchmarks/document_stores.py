"""Documents on the disk with random access: which way of storing them opens and reads fastest.

    python benchmarks/document_stores.py [documents]

Arms: the project's own (JSON lines with a memory-mapped table of offsets), memory-mapped Arrow,
SQLite, and LMDB where it is installed. Each opens in a fresh process, looks up 100 documents by
id and reads them; then 2,000 more. Seconds of processor time
without imports, megabytes at the peak with them, medians of the rounds, arms in turns.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _report import peak_mb, report
from _synthetic import write_collection

ROUNDS = 5
HITS, MORE = 100, 2000
MB = 1_000_000
Reader = Callable[[str], str]


def write_lines(file: Path, folder: Path) -> None:
    from rerank_lab.corpora.stored_documents import CORPUS, stored_documents

    (folder / CORPUS).write_bytes(file.read_bytes())
    if stored_documents(folder) is None:
        raise RuntimeError("the tables were not written")


def open_lines(folder: Path) -> Reader:
    from rerank_lab.corpora.stored_documents import stored_documents

    documents = stored_documents(folder)
    if documents is None:
        raise RuntimeError("there are no tables")
    by_id = documents.by_id
    return lambda doc_id: by_id[doc_id].text


def _rows(file: Path) -> Any:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def write_arrow(file: Path, folder: Path) -> None:
    import pyarrow as pa

    rows = list(_rows(file))
    table = pa.table({"id": [r["_id"] for r in rows], "text": [r["text"] for r in rows]})
    table = table.sort_by("id").combine_chunks()
    with (
        pa.OSFile(str(folder / "documents.arrow"), "wb") as out,
        pa.ipc.new_file(out, table.schema) as writer,
    ):
        writer.write_table(table)


def open_arrow(folder: Path) -> Reader:
    import pyarrow as pa

    table = pa.ipc.open_file(pa.memory_map(str(folder / "documents.arrow"))).read_all()
    ids, texts = table["id"].chunk(0), table["text"].chunk(0)

    def read(doc_id: str) -> str:
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if ids[middle].as_py() < doc_id else (low, middle)
        return str(texts[low].as_py())

    return read


def write_sqlite(file: Path, folder: Path) -> None:
    import sqlite3

    with sqlite3.connect(folder / "documents.sqlite") as database:
        database.execute("create table documents (id text primary key, text text) without rowid")
        rows = ((row["_id"], row["text"]) for row in _rows(file))
        database.executemany("insert into documents values (?, ?)", rows)


def open_sqlite(folder: Path) -> Reader:
    import sqlite3

    database = sqlite3.connect(folder / "documents.sqlite")
    query = "select text from documents where id = ?"
    return lambda doc_id: str(database.execute(query, (doc_id,)).fetchone()[0])


def write_lmdb(file: Path, folder: Path) -> None:
    import lmdb

    with lmdb.open(str(folder), map_size=1 << 35) as store, store.begin(write=True) as change:
        for row in _rows(file):
            change.put(row["_id"].encode(), row["text"].encode())


def open_lmdb(folder: Path) -> Reader:
    import lmdb

    view = lmdb.open(str(folder), readonly=True, lock=False).begin()
    return lambda doc_id: bytes(view.get(doc_id.encode())).decode()


ARMS = {
    "JSON lines with offsets": (write_lines, open_lines, "rerank_lab.corpora.stored_documents"),
    "Arrow": (write_arrow, open_arrow, "pyarrow"),
    "SQLite": (write_sqlite, open_sqlite, "sqlite3"),
    "LMDB": (write_lmdb, open_lmdb, "lmdb"),
}


def measure(arm: str, folder: Path, documents: int) -> dict[str, float]:
    """In a fresh process: opening with the first hits, and many more reads."""
    importlib.import_module(ARMS[arm][2])
    start = time.process_time()
    read = ARMS[arm][1](folder)
    rng = random.Random(int(os.environ.get("ROUND", "0")))
    for number in rng.sample(range(documents), HITS):
        read(f"d{number:07}")
    opened = time.process_time()
    for number in rng.sample(range(documents), MORE):
        read(f"d{number:07}")
    more = time.process_time() - opened
    return {
        "open_and_100_hits_cpu_s": opened - start,
        "a_read_us": more / MORE * 1e6,
        "peak_mb": peak_mb(),
    }


def main(documents: int) -> None:
    figures: dict[str, Any] = {"documents": documents}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "collection.jsonl"
        write_collection(file, documents)
        figures["collection_mb"] = file.stat().st_size / MB
        folders = {}
        for arm, (write, _, _) in ARMS.items():
            folder = folders[arm] = Path(place) / arm
            folder.mkdir()
            start = time.process_time()
            try:
                write(file, folder)
            except ImportError:
                del folders[arm]
                continue
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            written = {"write_cpu_s": time.process_time() - start, "on_disk_mb": size / MB}
            figures[arm] = written
        rounds: dict[str, list[dict[str, float]]] = {arm: [] for arm in folders}
        for number in range(ROUNDS):
            for arm, folder in folders.items():
                command = [sys.executable, __file__, "--arm", arm, str(folder), str(documents)]
                environment = os.environ | {"ROUND": str(number)}
                done = subprocess.run(command, check=True, capture_output=True, env=environment)
                rounds[arm].append(json.loads(done.stdout))
        for arm, runs in rounds.items():
            figures[arm] |= {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    report("document_stores", figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--arm"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
