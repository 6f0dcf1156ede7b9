"""What is fuzzed: each target reads bytes and may refuse them with a LabError, and nothing else."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from rerank_lab.core.context import Response
from rerank_lab.core.errors import LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.spec import parse
from rerank_lab.core.types import Query
from rerank_lab.corpora.bundle import CollectionOptions, opened, read_parts
from rerank_lab.corpora.importing import inspect_upload, stored_summary
from rerank_lab.corpora.judged import fit_judgments, read_judgments, read_queries
from rerank_lab.corpora.limits import DEFAULT_LIMITS
from rerank_lab.corpora.load import corpus_from_texts, load_corpus
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.runs import read_run
from rerank_lab.corpora.source import Source
from rerank_lab.corpora.store import list_corpora
from rerank_lab.evaluation.experiments.store import list_experiments, load_experiment
from rerank_lab.fusion.learned.store import list_models, load_model
from rerank_lab.models.locate.resolve import availability, locate
from rerank_lab.models.locate.soundness import require_sound
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.remote.providers import providers
from rerank_lab.remote.responses import completion, parse_json, rerank_response
from rerank_lab.rerankers import parsing
from rerank_lab.rerankers.llm.sanitise import sanitised
from rerank_lab.services import comparisons
from rerank_lab.services.comparisons.records import comparison_of, header_of, to_bytes
from rerank_lab.ui.shared import state
from rerank_lab.views import prompts
from rerank_lab.views.corpora import list_documents
from tests.corpora.make import BEIR, docx, pdf, zipped
from tests.corpora.readers.test_hostile_shapes import GOOD
from tests.corpora.readers.test_judged_shapes import RELEVANT_ONLY, SHAPES

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Target:
    """One place where the lab reads what others wrote.

    `run` gets an input and an empty folder that is the lab's data folder too, and may say what came
    of it in a word.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes, Path], str | None]
    pieces: tuple[bytes, ...] = ()


def check(target: Target, data: bytes) -> str:
    """Run a target on one input; what came of it, in a word.

    Raises:
        AssertionError: The refusal has no hint, or cannot be shown.
        Exception: whatever the target let through that is not a LabError: a defect.
    """
    with tempfile.TemporaryDirectory() as folder, home_at(Path(folder)):
        try:
            return target.run(data, Path(folder)) or "read"
        except LabError as error:
            assert error.hint, error.message  # noqa: PT017
            assert "worth reporting" not in error.hint, error.message  # noqa: PT017
            assert len(error.message) < 20_000, error.message[:200]  # noqa: PT017
            f"{error.message} {error.hint} {error.details}".encode()
            return (
                f"{type(error).__name__}: {''.join(c for c in error.message[:60] if c.isalpha())}"
            )


@contextmanager
def home_at(folder: Path) -> Iterator[None]:
    """The lab's data folder in a `with` block."""
    before = os.environ.get("RERANK_LAB_HOME")
    os.environ["RERANK_LAB_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["RERANK_LAB_HOME"]
        else:
            os.environ["RERANK_LAB_HOME"] = before


def named(name: str, data: bytes | str) -> bytes:
    """An input that carries a file name: what stands before its first line end."""
    return name.encode() + b"\n" + (data if isinstance(data, bytes) else data.encode())


def split_name(data: bytes) -> tuple[str, bytes]:
    """The file name and the content of an input that `named` made, or of what it became."""
    name, _, content = data.partition(b"\n")
    safe = "".join(c for c in name.decode("utf-8", "replace")[-60:] if c.isprintable() and c != "/")
    return (safe if safe.strip(". ") else "x.txt"), content


def text_of(data: bytes) -> str:
    """An input as text in which surrogates may stand alone, as JSON and JavaScript let them."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


# Corpora


def corpus_seeds() -> list[bytes]:
    lines = {name: "".join(json.dumps(r) + "\n" for r in rows) for name, rows in GOOD.items()}
    return [
        *(
            named("x.json" if n in ("qa-dataset", "search-response") else "x.jsonl", text)
            for n, text in lines.items()
        ),
        named("a.json", '[{"id": "a", "title": "t", "text": "one"}, {"id": 2, "text": null}]'),
        named("a.csv", "id,title,text\n1,Cats,They purr\n2,Dogs,They bark\n"),
        named("a.csv", 'sep=;\nid;text\n1;"a;""b"""\n'),
        named("a.tsv", 'id\ttext\n1\t"quoted\n2\tplain\n'),
        named("a.txt", "one paragraph\n\nanother\n"),
        named("a.md", "# One\ntext\n## Two\n```\ncode\n```\n|a|b|\n|-|-|\n|1|2|\n"),
        named(
            "a.html", "<html><body><nav>n</nav><h1>T</h1><table><tr><td>a<td>b</table><p>x</body>"
        ),
        named("a.rst", "Title\n=====\n\n.. note:: x\n\ntext\n"),
        named("a.adoc", "= Title\n\n== Part\ntext\n"),
        named("a.py", "def f(x):\n    return x\n\nclass A:\n    pass\n"),
        named("a.trec", "<DOC>\n<DOCNO> d1 </DOCNO>\n<TEXT>\nwords\n</TEXT>\n</DOC>\n"),
        named("cran.all", ".I 1\n.T\ntitle\n.W\nwords\n.I 2\n.W\nmore\n"),
        named(
            "wiki.xml",
            "<mediawiki><page><title>T</title><ns>0</ns><id>1</id><revision>"
            "<text>words</text></revision></page></mediawiki>",
        ),
        named(
            "Posts.xml",
            '<posts><row Id="1" PostTypeId="1" Title="T" Body="&lt;p&gt;x&lt;/p&gt;"/></posts>',
        ),
        named("a.zip", zipped(BEIR)),
        named("a.pdf", pdf("one page", "two")),
        named("a.docx", docx("one", "two", table=("a", "b"))),
        named("a.xlsx", workbook()),
        named("a.parquet", parquet()),
        named("a.jsonl.gz", gzipped(b'{"id": 1, "text": "one"}\n')),
    ]


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@cache
def workbook() -> bytes:
    import openpyxl

    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (("id", "text"), (1, "one"), (2, "two")):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


@cache
def parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"id": ["1", "2"], "text": ["one", "two"]}), out)
    return out.getvalue()


def read_corpus(data: bytes, _: Path) -> None:
    """An upload: looked at, then every document in it."""
    name, content = split_name(data)
    inspect_upload(name, content)
    with opened(Source(name, data=content), DEFAULT_LIMITS) as parts:
        bundle = read_parts(parts, CollectionOptions(), ProblemLog())
    for document in bundle.documents:
        document.text.encode()
        document.id.encode()


def read_pasted(data: bytes, _: Path) -> None:
    """A pasted list, and words looked for in it."""
    text = text_of(data)
    words, _, texts = text.partition("\n")
    list_documents(corpus_from_texts(texts), words)


# Judgments, queries, runs


def judged_seeds() -> list[bytes]:
    topics = "<top>\n<num> Number: 1\n<title> coffee filters\n<desc> Description:\nHow?\n</top>\n"
    queries = {
        "topics.txt": topics,
        "topics.xml": '<topics><topic number="1"><query>coffee</query></topic></topics>',
        "queries.json": '{"1": "coffee filters"}',
        "queries.tsv": "1\tcoffee filters\n2\ttea\n",
        "queries.jsonl": '{"_id": "1", "text": "coffee", "metadata": {"a": [1]}}\n',
    }
    return [named(name, content) for name, content in (SHAPES | RELEVANT_ONLY | queries).items()]


def read_judged(data: bytes, _: Path) -> None:
    """A file as judgments and as queries, and both fitted together."""
    name, content = split_name(data)
    source, queries = Source(name, data=content), ()
    refusals = []
    try:
        queries = read_queries(source, ReadOptions(), ProblemLog()).queries
    except LabError as error:
        refusals.append(error)
    judgments = read_judgments(source, ReadOptions(), ProblemLog())
    fit_judgments(judgments, queries, ["d1", "d2"], ProblemLog())
    if refusals:
        raise refusals[0]


def run_seeds() -> list[bytes]:
    return [
        named("run.trec", "1 Q0 d1 1 0.5 bm25\n1 Q0 d2 2 0.25 bm25\n"),
        named("run.tsv", "query_id\tdoc_id\trank\tscore\n1\td1\t1\t0.5\n"),
        named("run.json", '{"1": {"d1": 0.5, "d2": 0.25}}'),
        named(
            "run.jsonl",
            '{"run": "a", "spec": "bm25"}\n{"query_id": "1", "scale": "bm25", '
            '"hits": [["d1", 0.5]]}\n',
        ),
        named("run.csv", "qid,docno,rank,score\n1,d1,0,1.5\n"),
        named("run.parquet", parquet()),
    ]


def read_run_file(data: bytes, folder: Path) -> None:
    """A run, from a file."""
    name, content = split_name(data)
    (folder / name).write_bytes(content)
    read_run(folder / name)


# Texts that people type

SPECS = (
    "bm25",
    'bm25(k=100) >> cross-encoder(model="ms-marco-minilm-l12",top=50)',
    'rrf(bm25,dense(model="minilm-l6"),k=60) >> threshold(min=0.5)',
    "bm25 >> ms-marco-minilm-l12",
    'weighted(bm25,rank-bm25,norm="minmax") >> mmr(lambda=0.5)',
    'run(path="pool.trec") >> identity',
    'bm25 >> rrf(ms-marco-minilm-l12,dense) >> listwise(base_url="http://localhost:1/v1",model="m")',
    'bm25 >> cohere(model="rerank-v3.5",long="max",passage_tokens=100)',
    "splade",
    "rm3(docs=10)",
    'bm25 >> ltr(bm25,overlap,model="mine")',
    "bm25 >> platt(slope=1.0,intercept=0) >> threshold(min=.5)",
)


def read_spec(data: bytes, _: Path) -> None:
    """A pipeline as it is typed; one that is read is written so that it is read the same."""
    text = text_of(data)
    spec = parse(text)
    assert parse(str(spec)) == spec, text
    again = str(Pipeline(text))
    assert str(Pipeline(again)) == again, text


def read_link(data: bytes, _: Path) -> None:
    """The part of a link behind the question mark."""
    values = parse_qs(data.decode("utf-8", "replace"), keep_blank_values=True)
    specs, notices = state.checked_pipelines(values.get("p", []))
    assert all(notice.encode() for notice in notices)
    assert len(specs) <= state.MAX_PIPELINES
    state.flat(" ".join(values.get("q", []))).encode()
    for name in values.get("saved", []):
        comparisons.find(name)
    refusals: list[LabError] = []
    for load, key in ((load_experiment, "experiment"), (load_model, "model"), (availability, "m")):
        for name in values.get(key, []):
            try:
                load(name)  # type: ignore[operator]
            except LabError as error:
                refusals.append(error)
    if refusals:
        raise refusals[0]


def read_prompt(data: bytes, _: Path) -> str:
    """A prompt as it is edited in the app."""
    kind, _, text = text_of(data).partition("\n")
    template, problems = prompts.check(text, kind if kind in prompts.KINDS else "listwise")
    assert template is not None or problems
    assert all(problem.what.encode() for problem in problems)
    return "".join(c for c in problems[0].what[:40] if c.isalpha()) if problems else "read"


def prompt_seeds() -> list[bytes]:
    from rerank_lab.rerankers.llm.prompts import FOLDER

    files = sorted(FOLDER.glob("*.yaml"))
    return [named(kind, file.read_bytes()) for file in files for kind in prompts.KINDS]


# Measures: in a process of its own, for a failing assertion in C would end this one

MEASURES = (
    "nDCG@10",
    "P(rel=2)@5",
    "AP",
    "RR@10",
    "ERR@10",
    "nDCG(dcg='exp-log2')@10",
    "Judged@10",
    "Compat(p=0.9)",
    "alpha_nDCG@5",
    "RBP(p=0.8,rel=1)",
    "nDCG(gains={0:0,1:3})@5",
    "IPrec@0.5",
    "infAP",
    "SetF(beta=0.5)",
    "Bpref(rel=1)",
    "NERR8@5",
    "BPM@5",
    "StRecall@10",
    "Success@1",
)
CHILD = """
import json, sys
from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.measures import measure
for line in sys.stdin:
    text = json.loads(line)
    name, _, grade = text.partition("\\n")
    answer = "read"
    try:
        qrels = {"q": {"a": int(grade[:40]) if grade[:40].isdecimal() else 1, "b": 0}}
        measure(qrels, {"q": Ranking.from_order("q", ["b", "a"])}, [name])
    except LabError as error:
        answer = type(error).__name__ if error.hint and len(error.message) < 20000 else "no hint"
    except BaseException as error:
        answer = f"defect: {type(error).__name__}: {error}"
    print(json.dumps(answer), file=sys.stderr, flush=True)
"""


@cache
def measure_process() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=PROJECT,
    )


def read_measure(data: bytes, _: Path) -> None:
    """A measure's name and a grade, computed in another process."""
    process = measure_process()
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(json.dumps(text_of(data)) + "\n")
    process.stdin.flush()
    answers: list[str] = []
    while line := process.stderr.readline():
        if line.startswith('"'):
            answers.append(json.loads(line))
            break
    if not answers:
        measure_process.cache_clear()
        raise AssertionError(f"the process ended with {process.wait()}")
    assert answers[0] in ("read", "InvalidInput"), answers[0]


# Replies of servers and language models

REPLIES: tuple[Any, ...] = (
    {
        "results": [{"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": 0.25}],
        "usage": {"total_tokens": 7},
        "model": "m",
        "meta": {"billed_units": {"search_units": 1}},
    },
    {"data": [{"index": 0, "score": 0.5}, {"index": 1, "score": 1}], "usage": {"rerank_units": 1}},
    {"rankings": [{"index": 0, "logit": -3.5}, {"index": 1, "logit": 2}]},
    {"rerank": [{"index": 1, "relevance_score": 0.5}, {"index": 0, "relevance_score": 0.1}]},
    {"results": [{"index": 0, "relevanceScore": 0.1}, {"index": 1, "relevanceScore": 0.2}]},
    [{"index": 0, "score": 0.5}, {"index": 1, "score": 0.1}],
    {"error": {"message": "no"}},
)
CHATS: tuple[Any, ...] = (
    {
        "choices": [
            {
                "message": {"content": "[2] > [1]"},
                "finish_reason": "stop",
                "logprobs": {
                    "content": [
                        {
                            "token": "A",
                            "logprob": -0.1,
                            "top_logprobs": [{"token": "B", "logprob": -2}],
                        }
                    ]
                },
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        "model": "m",
    },
    {"choices": [{"text": "x", "logprobs": {"text_offset": [0, 1], "token_logprobs": [None, -1]}}]},
    {"choices": [{"message": {"content": [{"type": "text", "text": "[1]"}], "refusal": None}}]},
)


def reply_seeds() -> list[bytes]:
    return [json.dumps(reply).encode() for reply in REPLIES]


def chat_seeds() -> list[bytes]:
    whole = [json.dumps(chat).encode() for chat in CHATS]
    return [*whole, b"data: " + whole[0] + b"\n\ndata: [DONE]\n", b"<html>502</html>"]


def read_reply(data: bytes, _: Path) -> None:
    """One reply, as every provider might have sent it."""
    text = data.decode("utf-8", "replace")
    refusals: list[LabError] = []
    for provider in providers().values():
        try:
            answer = rerank_response(parse_json(text, provider.title), 2, provider)
        except LabError as error:
            assert provider.title in error.message  # noqa: PT017
            refusals.append(error)
        else:
            assert all(map(math.isfinite, answer.scores))
    if refusals:
        raise refusals[0]


def read_chat(data: bytes, _: Path) -> None:
    """The reply of a chat endpoint, and the answer in it."""
    answer = completion(Response(200, {}, data.decode("utf-8", "replace")), "host")
    read_answer(answer.text.encode("utf-8", "surrogatepass"), Path())


def read_answer(data: bytes, _: Path) -> str:
    """A language model's answer, read in every form."""
    text = text_of(data)
    sanitised(text)
    for n in (1, 3, 20):
        for short in (False, True):
            order = parsing.read_order(text, n, short)
            chosen = parsing.read_selection(text, n, 1, short)
            parsing.read_label(text, n, short)
            for reading in (order, chosen):
                assert all(isinstance(i, int) for i in reading.positions), text
    return parsing.describe(parsing.read_yes_no(text).faults + order.faults)


ANSWERS = (
    b"[2] > [1] > [3]",
    b"2 > 1 > 3",
    b"1. [3]\n2. [1]",
    b'Passage A: "text"',
    b"The answer is: B",
    b"<think>maybe [1]</think>[3] > [2]",
    b"yes",
    b"No.",
    b'{"ranking": [2, 1, 3]}',
    b"[[2], [1]]",
    b'```json\n["B", "A"]\n```',
    "最も関連: [2]".encode(),
    b"None of these",
)


# Files of the lab itself and of models


@cache
def saved_comparison() -> bytes:
    from tests.services.comparisons.test_saved import kept

    return to_bytes(kept())


def read_comparison(data: bytes, folder: Path) -> None:
    """A saved comparison, uploaded and listed."""
    header_of(data.split(b"\n")[0].decode("utf-8", "replace"))
    (folder / "comparisons").mkdir()
    (folder / "comparisons" / "0123456789abcdef.jsonl").write_bytes(data)
    comparisons.list_saved()
    to_bytes(comparison_of(data))


@cache
def model_files() -> dict[str, bytes]:
    """The files of a small cross-encoder."""
    from tests.models.tiny import save_cross_encoder

    with tempfile.TemporaryDirectory() as folder:
        save_cross_encoder(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


MODULES = json.dumps(
    [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Pooling",
            "type": "sentence_transformers.models.Pooling",
        },
    ]
)


def model_seeds() -> list[bytes]:
    files = model_files()
    weights = files["model.safetensors"]
    header = weights[: 8 + int.from_bytes(weights[:8], "little")]
    return [
        *(named(name, data) for name, data in files.items() if name.endswith(".json")),
        named("model.safetensors", header[:8000]),
        named("modules.json", MODULES),
        named("model.safetensors.index.json", '{"weight_map": {"a": "model.safetensors"}}'),
        named("adapter_config.json", '{"peft_type": "LORA", "base_model_name_or_path": "a/b"}'),
        named("sentence_bert_config.json", '{"max_seq_length": 128, "do_lower_case": false}'),
    ]


def read_model_folder(data: bytes, folder: Path) -> None:
    """A model's folder in which one file was damaged: looked at, configured, opened."""
    from rerank_lab.models.torch import loading

    name, content = split_name(data)
    model = folder / "m"
    model.mkdir()
    for file, original in model_files().items():
        (model / file).write_bytes(original)
    (model / name).write_bytes(content)
    located = locate(str(model))
    availability(str(model))
    assert located.max_length > 0
    assert isinstance(located.architecture, str)
    require_sound(located)
    loading.load_config(located)
    loading.load_tokenizer(located)
    loading.load_model(located, "AutoModelForSequenceClassification", "float32")


@cache
def own_files() -> dict[str, bytes]:
    """Files that the lab keeps in its data folder, by path: a corpus, an experiment, a model."""
    from rerank_lab.corpora.importing import import_corpus
    from rerank_lab.evaluation.experiments import plan, run
    from rerank_lab.pipeline.engine import Engine

    with tempfile.TemporaryDirectory() as name, home_at(Path(name)):
        home = Path(name)
        (home / "up.zip").write_bytes(zipped(BEIR))
        import_corpus(home / "up.zip", "mine")
        experiment = plan(corpus_from_texts("one\ntwo"), ["bm25"], queries=[Query("q", "one")])
        run(experiment, engine=Engine(home))
        return {
            path.relative_to(home).as_posix(): path.read_bytes()
            for path in home.rglob("*.json*")
            if path.stat().st_size < 20_000
        }


def own_seeds() -> list[bytes]:
    return [named(path.replace("/", "|"), data) for path, data in own_files().items()]


def read_own_files(data: bytes, home: Path) -> None:
    """The data folder, one file of which a disk or a person damaged: every list and every entry."""
    name, content = split_name(data)
    for path, original in own_files().items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(content if path == name.replace("|", "/") else original)
    refusals: list[LabError] = []
    for entry in list_corpora():
        if entry.kind == "imported":
            try:
                load_corpus(entry.name)
                stored_summary(entry.name)
            except LabError as error:
                refusals.append(error)
    for experiment in list_experiments():
        try:
            load_experiment(experiment.id)
        except LabError as error:
            refusals.append(error)
    list_models()
    if refusals:
        raise refusals[0]


def texts(*values: str) -> Callable[[], list[bytes]]:
    """Seeds that are texts."""
    return lambda: [value.encode() for value in values]


JSON_PIECES = (
    b'": ',
    b'", "',
    b"null",
    b"[null]",
    b"{}",
    b"1e400",
    b'"\\ud800"',
    b"[" * 500,
    b'{"a":' * 500,
)
TARGETS = {
    target.name: target
    for target in (
        Target("corpora", corpus_seeds, read_corpus, JSON_PIECES),
        Target(
            "pasted",
            texts("one\nfirst\nsecond", '\n{"id": 1, "text": "a"}\n', "(\na\tb\n"),
            read_pasted,
        ),
        Target(
            "judged",
            judged_seeds,
            read_judged,
            (b"qid:", b"<top>", b"<num>", b"#docid", *JSON_PIECES),
        ),
        Target("runs", run_seeds, read_run_file, JSON_PIECES),
        Target(
            "specs",
            texts(*SPECS),
            read_spec,
            tuple(s.encode() for s in (*SPECS, ">>", "k=", "(bm25,")),
        ),
        Target(
            "links",
            texts(
                "p=bm25&q=a&saved=0123456789abcdef",
                "experiment=0123456789abcdef",
                "model=mine&m=./a",
                "p=bm25%20%3E%3E%20identity&p=x&depth=50",
                "m=owner/name",
            ),
            read_link,
            (b"p=", b"&q=", b"%ED%A0%80", b"..%2f", b"model=", b"m=", b"~", b"%00"),
        ),
        Target(
            "prompts",
            prompt_seeds,
            read_prompt,
            (b"{id}", b"{passage}", b"- user: |\n  ", b"? ", b"!!int "),
        ),
        Target(
            "measures",
            texts(*(f"{name}\n{grade}" for name in MEASURES for grade in (1, 4))),
            read_measure,
            (b"@0", b"(rel=0)", b"cutoff=", b"gains={", b"-1", b"1e999", b"True"),
        ),
        Target("replies", reply_seeds, read_reply, JSON_PIECES),
        Target("chats", chat_seeds, read_chat, JSON_PIECES),
        Target(
            "answers",
            lambda: list(ANSWERS),
            read_answer,
            (b"[1]", b" > ", b"<think>", b"Passage B", b"[99999]"),
        ),
        Target("comparisons", lambda: [saved_comparison()], read_comparison, JSON_PIECES),
        Target(
            "models",
            model_seeds,
            read_model_folder,
            (b'"auto_map": ', b'"model_type": "t5"', *JSON_PIECES),
        ),
        Target("data-folder", own_seeds, read_own_files, JSON_PIECES),
    )
}
