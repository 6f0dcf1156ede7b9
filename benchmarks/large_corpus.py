"""A corpus of a million passages by the command line: import, index, and a query from cold.

    python benchmarks/large_corpus.py [documents] [--peers] [--passages]

A seeded synthetic collection (`_synthetic.py`) of texts of 60 to 130 words, with `--passages` of 30
to 70. Each step is a process of its own: seconds of the clock, processor seconds of it and its
children, megabytes that all of them together held at the peak, without pages of files (which the
system drops when it needs memory) and with them. With `--peers`, bm25s and tantivy build and answer
in processes of their own; all answer the same queries in turns, bm25s over the same terms. A peer
that is not installed (`pip install tantivy`) is left out, and the figures say so. What each step
took goes to standard error when it is done.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from _report import report
from _synthetic import queries, write_collection

RANKS, QUERIES, K = 5, 200, 100
MB = 1_000_000
NAME = "large"


class Watch:
    """The memory that a process and its children hold together, looked at every 20 ms."""

    def __init__(self, process: int) -> None:
        self.private = self.resident = 0
        self._process = psutil.Process(process)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            private = resident = 0
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                return
            for one in family:
                try:
                    held = one.memory_info()
                except psutil.Error:
                    continue
                resident += held.rss
                private += held.rss - held.shared
            self.private = max(self.private, private)
            self.resident = max(self.resident, resident)

    def end(self) -> dict[str, float]:
        self._done.set()
        self._thread.join()
        return {"peak_mb": self.private / MB, "peak_with_file_pages_mb": self.resident / MB}


def step(command: list[str], environment: dict[str, str]) -> tuple[dict[str, float], str]:
    """Run a command; what it took, and what it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    watch = Watch(process.pid)
    out, err = process.communicate()
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise RuntimeError(err[-3000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    took = {"seconds": seconds, "cpu_s": cpu} | watch.end()
    print(" ".join(command[2:])[:60], took, file=sys.stderr)
    return took, out


def median(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


BUILD = f"""
import rerank_lab as rl
from rerank_lab.core.context import Context
engine = rl.default_engine()
retriever = engine.retriever(rl.parse("bm25").nodes[0])
retriever.build(rl.load_corpus({NAME!r}), Context(), engine.home / "indexes")
"""

ANSWER = """
import json, sys, time
import rerank_lab as rl
from rerank_lab.core.context import Context
from rerank_lab.core.types import Query
asked = json.load(open(sys.argv[1]))
engine, ctx = rl.default_engine(), Context()
retriever = engine.retriever(rl.parse("bm25").nodes[0])
retriever.build(rl.load_corpus(sys.argv[2]), ctx, engine.home / "indexes")
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    query = Query("q", asked[int(line)])
    start, cpu = time.perf_counter(), time.process_time()
    ranking = retriever.search(query, 100, ctx).ranking
    took = [time.perf_counter() - start, time.process_time() - cpu]
    print(json.dumps([took, [h.score for h in ranking]]), flush=True)
"""

TERMS = """
import json, sys
from rerank_lab.corpora.analysis import Analyzer
analyzer = Analyzer("english")
asked = [analyzer.query_terms(text) for text in json.load(open(sys.argv[1]))]
def documents(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield analyzer.document_terms(json.loads(line)["text"])
"""

BM25S = (
    TERMS
    + """
import time
import bm25s
index = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend="numba")
terms = list(documents(sys.argv[2]))
start, cpu = time.perf_counter(), time.process_time()
index.index(terms, show_progress=False)
del terms
took = [time.perf_counter() - start, time.process_time() - cpu]
index.retrieve([asked[0]], k=100, show_progress=False)
print(json.dumps(took), flush=True)
for line in sys.stdin:
    query = asked[int(line)]
    start, cpu = time.perf_counter(), time.process_time()
    known = [[term for term in query if term in index.vocab_dict]]
    _, scores = index.retrieve(known, k=100, show_progress=False)
    took = [time.perf_counter() - start, time.process_time() - cpu]
    print(json.dumps([took, scores[0].tolist()]), flush=True)
"""
)

TANTIVY = """
import json, sys, time
import tantivy
asked = json.load(open(sys.argv[1]))
builder = tantivy.SchemaBuilder()
builder.add_text_field("id", stored=True, tokenizer_name="raw")
builder.add_text_field("text", stored=False, tokenizer_name="en_stem")
index = tantivy.Index(builder.build(), path=sys.argv[3])
start, cpu = time.perf_counter(), time.process_time()
writer = index.writer(512_000_000, 2)
with open(sys.argv[2], encoding="utf-8") as lines:
    for line in lines:
        row = json.loads(line)
        writer.add_document(tantivy.Document(id=row["_id"], text=row["text"]))
writer.commit()
writer.wait_merging_threads()
index.reload()
took = [time.perf_counter() - start, time.process_time() - cpu]
searcher = index.searcher()
print(json.dumps(took), flush=True)
for line in sys.stdin:
    query = asked[int(line)]
    start, cpu = time.perf_counter(), time.process_time()
    parsed = index.parse_query(query, ["text"])
    hits = searcher.search(parsed, 100, count=False).hits
    ids = [searcher.doc(address)["id"][0] for _, address in hits]
    took = [time.perf_counter() - start, time.process_time() - cpu]
    print(json.dumps([took, [score for score, _ in hits]]), flush=True)
"""


PEERS = {"bm25s numba": ("bm25s", BM25S), "tantivy": ("tantivy", TANTIVY)}


class Answerer:
    """A process that answers queries by their number; `took` is what it printed when ready."""

    def __init__(self, code: str, words: list[str], environment: dict[str, str]) -> None:
        command = [sys.executable, "-c", code, *words]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        watch = Watch(self._process.pid)
        self.took = self._read()
        self.memory = watch.end()

    def ask(self, number: int) -> tuple[list[float], list[float]]:
        """Seconds of the clock and of the processor, and the scores."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        took, scores = self._read()
        return took, scores

    def end(self) -> None:
        self._process.communicate()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("A process ended before it answered; its error stands above.")
        return json.loads(line)


def answer(answerers: dict[str, Answerer], count: int) -> dict[str, Any]:
    """Milliseconds a query of each, taking turns; the largest difference of scores to bm25s."""
    times: dict[str, list[list[float]]] = {name: [] for name in answerers}
    largest = 0.0
    for number in range(count):
        scores = {}
        for name, answerer in answerers.items():
            took, scores[name] = answerer.ask(number)
            times[name].append(took)
        if "bm25s numba" in scores:
            pairs = zip(scores["ours"], scores["bm25s numba"], strict=False)
            largest = max([largest, *(abs(mine - theirs) for mine, theirs in pairs)])
    figures: dict[str, Any] = {
        name: {
            f"query_{kind}{percentile}_ms": statistics.quantiles(own, n=20)[cut] * 1000
            for kind, own in zip(("p", "cpu_p"), zip(*taken, strict=True), strict=True)
            for percentile, cut in ((50, 9), (95, 18))
        }
        for name, taken in times.items()
    }
    for name, answerer in answerers.items():
        figures[name]["process"] = answerer.memory
        if name != "ours":
            figures[name]["build_seconds"], figures[name]["build_cpu_s"] = answerer.took
    return figures | {"largest_difference_to_bm25s": largest}


def main(documents: int, peers: bool, lengths: tuple[int, int]) -> None:
    figures: dict[str, Any] = {"documents": documents, "words": lengths, "k": K}
    with tempfile.TemporaryDirectory() as place:
        file, asked = Path(place) / "collection.jsonl", Path(place) / "queries.json"
        environment = os.environ | {"RERANK_LAB_HOME": str(Path(place) / "home")}
        write_collection(file, documents, *lengths)
        asked.write_text(json.dumps(queries(QUERIES, documents)), "utf-8")
        figures["collection_mb"] = file.stat().st_size / MB
        command = [sys.executable, "-m", "rerank_lab"]
        importing = [*command, "corpora", "import", str(file), "--name", NAME]
        figures["import"], _ = step(importing, environment)
        figures["build"], _ = step([sys.executable, "-c", BUILD], environment)
        ranks = []
        for text in json.loads(asked.read_text("utf-8"))[:RANKS]:
            took, _ = step([*command, "rank", NAME, text, "-p", "bm25"], environment)
            ranks.append(took)
        figures["rank"] = median(ranks)
        answerers = {"ours": Answerer(ANSWER, [str(asked), NAME], environment)}
        if peers:
            (Path(place) / "tantivy").mkdir()
            words = [str(asked), str(file), str(Path(place) / "tantivy")]
            for name, (package, code) in PEERS.items():
                if importlib.util.find_spec(package):
                    answerers[name] = Answerer(code, words, environment)
                else:
                    figures[name] = f"{package} is not installed"
        figures["queries"] = answer(answerers, QUERIES)
        for answerer in answerers.values():
            answerer.end()
    report("large_corpus", figures)


if __name__ == "__main__":
    sizes = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    lengths = (30, 70) if "--passages" in sys.argv else (60, 130)
    main(sizes[0] if sizes else 1_000_000, "--peers" in sys.argv, lengths)
