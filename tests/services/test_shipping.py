"""What ships runs: in a virtual environment of its own, with nothing but what it says it needs."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.types import Document, Hit, Query, Ranking
from rerank_lab.corpora import Corpus
from rerank_lab.decision.shipping.golden import GoldenTerms, golden_case
from rerank_lab.decision.shipping.shipment import Shipment
from rerank_lab.evaluation.experiments import Evaluation, evaluate
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.experiment_files import parse_experiment_file
from rerank_lab.services.shipping import shipments
from tests.models.tiny import save_cross_encoder

SPEC = "bm25(k=50) >> overlap(top=20)"
TEXTS = ["Fish are quiet.", "Dogs bark at the moon.", "Do dogs bark?"]
CORPUS = Corpus(
    "pets",
    tuple(Document(f"d{place}", text, "Pets") for place, text in enumerate(TEXTS)),
    (Query("q/1", "dogs that bark"), Query("q2", "quiet fish")),
    {"q/1": {"d2": 1}, "q2": {"d0": 1}},
)
BEST_FIRST = [TEXTS[2], TEXTS[1], TEXTS[0]]
"""For "do dogs bark", by the words that they share with it."""


@pytest.fixture
def evaluation(home: Path) -> Evaluation:
    return evaluate(CORPUS, [SPEC], measures=["RR@10"])


def by_form(spec: str, *known: Any, name: str = "") -> dict[str, Shipment]:
    return {one.form: one for one in shipments(Pipeline(spec).spec, *known, name=name)}


def text_of(shipment: Shipment) -> str:
    assert not shipment.absence
    return shipment.files[0].content.decode()


def bodies(shipment: Shipment) -> dict[str, Any]:
    """The JSON bodies of requests by method and path."""
    read = {}
    for part in text_of(shipment).split("# ")[1:]:
        _, line, body = part.split("\n", 2)
        read[line] = json.loads(body)
    return read


def own_environment(folder: Path) -> Path:
    """The Python of a new virtual environment that sees the installed packages."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    installed = sysconfig.get_path("purelib")
    (packages / "installed.pth").write_text(f"import site; site.addsitedir({installed!r})\n")
    return folder / "bin" / "python"


@dataclass(frozen=True)
class Shipped:
    """A folder with every form of the pipeline and its corpus, and a Python that sees no source."""

    folder: Path
    python: Path
    home: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of a user in the folder."""
        return subprocess.run(
            [str(self.python), *arguments], capture_output=True, text=True, timeout=240,
            cwd=self.folder,
            env={"RERANK_LAB_HOME": str(self.home), "HOME": "/", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    def tests(self) -> subprocess.CompletedProcess[str]:
        """Run the golden cases."""
        return self.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly",
                        "--rootdir", ".", "test_pets_golden_cases.py")  # fmt: skip


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    base = tmp_path_factory.mktemp("shipped")
    folder, home = base / "files", base / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RERANK_LAB_HOME", str(home))
        done = evaluate(CORPUS, [SPEC], measures=["RR@10"])
    save(CORPUS, folder / "pets")
    for shipment in shipments(Pipeline(SPEC).spec, done, CORPUS, "pets"):
        for file in shipment.files:
            (folder / file.name).write_bytes(file.content)
    return Shipped(folder, own_environment(base / "env"), home)


def save(corpus: Corpus, folder: Path) -> None:
    """As BEIR keeps a corpus."""
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": one.id, "title": one.title, "text": one.text} for one in corpus.documents]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    rows = [{"_id": one.id, "text": one.text} for one in corpus.queries]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "qrels" / "test.tsv").write_text(qrels(corpus.qrels))


def qrels(judged: Mapping[str, Mapping[str, int]]) -> str:
    """A file of judgments as BEIR writes it."""
    rows = [f"{q}\t{d}\t{grade}" for q, grades in judged.items() for d, grade in grades.items()]
    return "\n".join(["query-id\tcorpus-id\tscore", *rows])


def test_the_yaml_runs_and_its_gate_fails_where_the_ranking_is_worse(shipped: Shipped) -> None:
    run = ("-m", "rerank_lab", "experiment", "run")
    done = shipped.run(*run, "pets.yaml", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert [gate["result"] for gate in json.loads(done.stdout)["gates"]] == ["passed", "passed"]
    (shipped.folder / "other.tsv").write_text(qrels({"q/1": {"d0": 1}, "q2": {"d1": 1}}))
    text = (shipped.folder / "pets.yaml").read_text()
    (shipped.folder / "other.yaml").write_text(text + "qrels: other.tsv\n")
    worse = shipped.run(*run, "other.yaml")
    assert worse.returncode == 1, worse.stderr[-3000:]


def test_the_python_module_runs(shipped: Shipped) -> None:
    done = shipped.run("pets.py", "dogs that bark", "pets")
    assert done.returncode == 0, done.stderr[-3000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["d1", "d2"]
    again = (
        "import pets, sys; print(*(place for place, _ in pets.rerank(sys.argv[1], sys.argv[2:])))"
    )
    assert shipped.run("-c", again, "do dogs bark", *TEXTS).stdout.split() == ["2", "1", "0"]


@pytest.mark.parametrize("framework", ["langchain", "llama_index", "haystack"])
def test_the_code_for_a_framework_runs(shipped: Shipped, framework: str) -> None:
    done = shipped.run(f"pets_{framework}.py", "do dogs bark", *TEXTS)
    assert done.returncode == 0, done.stderr[-3000:]
    scored = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert [text for _, text in scored] == BEST_FIRST
    scores = [float(score) for score, _ in scored]
    assert scores == sorted(scores, reverse=True)


def test_golden_cases_pass_and_fail_when_the_ranking_moves(shipped: Shipped) -> None:
    passing = shipped.tests()
    assert passing.returncode == 0, passing.stdout[-3000:]
    data = shipped.folder / "pets_golden_cases.json"
    kept = json.loads(data.read_text())
    try:
        data.write_text(json.dumps(kept | {"pipeline": "bm25(k=1)"}))
        moved = shipped.tests()
        assert moved.returncode == 1
        assert "is at no place, not from" in moved.stdout, moved.stdout
    finally:
        data.write_text(json.dumps(kept))


@pytest.mark.models
def test_sentence_transformers_alone_gives_the_same_scores(tmp_path: Path, home: Path) -> None:
    model = save_cross_encoder(tmp_path / "model")
    spec = f'bm25 >> cross-encoder(model="{model}",backend="torch",top=2)'
    body = text_of(by_form(spec, name="tiny")["sentence-transformers"])
    shipped: dict[str, Any] = {"__name__": "tiny"}
    exec(compile(body, "tiny.py", "exec"), shipped)

    from rerank_lab import rerank_documents

    ranking = rerank_documents(Pipeline(spec), "dogs that bark", TEXTS).ranking
    assert ranking is not None
    alone = shipped["rerank"]("dogs that bark", TEXTS)
    assert [str(place) for place, _ in alone] == list(ranking.doc_ids)
    for (_, score), hit in zip(alone, ranking.hits, strict=True):
        assert score == (None if hit.score is None else pytest.approx(hit.score, abs=1e-4))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("bm25", "single reranking stage"),
        ("bm25 >> overlap", "the stage is overlap"),
        ("bm25 >> ms-marco-minilm-l12", 'Evaluate it with backend="torch"'),
        ('bm25 >> ms-marco-minilm-l12(backend="torch",long="max")', "cut into windows"),
    ],
)
def test_sentence_transformers_is_offered_only_where_scores_agree(spec: str, words: str) -> None:
    assert words in by_form(spec)["sentence-transformers"].absence


def test_the_yaml_is_an_experiment_file(evaluation: Evaluation) -> None:
    body = text_of(by_form(SPEC, evaluation, CORPUS, name="fast: one <1>")["yaml"])
    terms = parse_experiment_file(body.encode(), Path("/nowhere/exp.yaml")).terms
    assert terms.pipelines == {"fast one 1": SPEC}
    assert terms.measures == ("RR@10",)
    assert terms.gates == ("RR@10 >= 0.75", "answered >= 99 %")


def test_elasticsearch_requests_have_the_documented_shape() -> None:
    spec = "bm25 >> ms-marco-minilm-l12(top=30)"
    (endpoint, inference), (search, body) = bodies(by_form(spec)["elasticsearch"]).items()
    assert endpoint == "PUT /_inference/rerank/bm25-ms-marco-minilm-l12-rerank"
    assert inference["service"] == "elasticsearch"
    settings = {"model_id", "num_allocations", "num_threads"}
    assert set(inference["service_settings"]) == settings
    assert search == "POST /my-index/_search"
    retriever = body["retriever"]["text_similarity_reranker"]
    assert retriever["rank_window_size"] == 30
    assert retriever["inference_id"] == endpoint.rpartition("/")[2]
    assert set(retriever) == {
        "retriever", "field", "inference_id", "inference_text", "rank_window_size",
    }  # fmt: skip
    assert "match" in retriever["retriever"]["standard"]["query"]

    (_, hosted), _ = bodies(by_form("bm25 >> jina")["elasticsearch"]).items()
    assert hosted["service"] == "jinaai"
    assert set(hosted["service_settings"]) == {"api_key", "model_id"}


def test_opensearch_requests_have_the_documented_shape() -> None:
    requests = bodies(by_form("bm25 >> ms-marco-minilm-l12(top=30)")["opensearch"])
    register, pipeline, search = requests
    assert requests[register]["name"] == "huggingface/cross-encoders/ms-marco-MiniLM-L-12-v2"
    (processor,) = requests[pipeline]["response_processors"]
    assert set(processor["rerank"]) == {"ml_opensearch", "context"}
    assert processor["rerank"]["context"] == {"document_fields": ["content"]}
    assert search.endswith(f"?search_pipeline={pipeline.rpartition('/')[2]}")
    assert requests[search]["size"] == 30
    assert "query_text" in requests[search]["ext"]["rerank"]["query_context"]


@pytest.mark.parametrize("form", ["elasticsearch", "opensearch"])
def test_weights_of_bm25_and_its_number_of_candidates_go_along(form: str) -> None:
    requests = bodies(by_form("bm25(b=0.2,k1=3.0,k=40) >> ms-marco-minilm-l12(top=50)")[form])
    similarity = requests["PUT /my-index"]["settings"]["index"]["similarity"]
    assert similarity == {"default": {"type": "BM25", "k1": 3.0, "b": 0.2}}
    search = json.dumps(list(requests.values())[-1])
    assert '"rank_window_size": 40' in search or '"size": 40' in search


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("rrf(bm25,dense) >> ms-marco-minilm-l12", "first stage rrf(bm25,dense)"),
        ("bm25 >> ms-marco-minilm-l12 >> overlap", "2 reranking stages"),
        ("bm25 >> overlap", "no counterpart of the stage overlap"),
    ],
)
def test_what_a_search_engine_does_not_have_is_said(spec: str, words: str) -> None:
    forms = by_form(spec)
    assert words in forms["elasticsearch"].absence
    assert words in forms["opensearch"].absence


HOSTILE = '\'"""\\\n__RERANK__ __CORPUS__ {x} ${x}\nimport os; os.abort()\u202e#'


def structure(code: str) -> str:
    """The syntax tree of a module without the values of its literals."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = None
    return ast.dump(tree)


def test_nothing_that_a_user_writes_becomes_code(evaluation: Evaluation) -> None:
    def shipped(model: str, corpus: str, name: str) -> tuple[Shipment, ...]:
        spec = f'bm25 >> cross-encoder(model={json.dumps(model)},backend="torch")'
        of = replace(evaluation, design=replace(evaluation.design, corpus=corpus))
        return shipments(Pipeline(spec).spec, of, None, name)

    for plain, hostile in zip(
        shipped("owner/model", "pets", "pets"), shipped(HOSTILE, HOSTILE, HOSTILE), strict=True
    ):
        for expected, file in zip(plain.files, hostile.files, strict=True):
            code = file.content.decode()
            assert re.fullmatch(r"[a-z0-9_]+\.[a-z]+", file.name)
            if file.name.endswith(".py"):
                assert structure(code) == structure(expected.content.decode())
                assert "\u202e" not in code
            elif file.name.endswith(".txt"):
                assert len(bodies(hostile)) == len(bodies(plain))
            else:
                assert parse_experiment_file(file.content, Path("/nowhere/exp.yaml"))


def test_a_golden_case_leaves_room_for_scores_that_are_near() -> None:
    scores = (10.0, 5.0, 4.999, 1.0, None)
    hits = tuple(Hit(f"d{n}", n, score) for n, score in enumerate(scores, 1))
    case = golden_case(Query("q", "words"), Ranking("q", hits, "logit"), GoldenTerms())
    places = [(one["first"], one["last"]) for one in case["documents"]]
    assert places == [(1, 1), (2, 3), (2, 3), (4, 4), (5, 5)]
    loose = golden_case(Query("q", ""), Ranking("q", hits, "logit"), GoldenTerms(places=1))
    assert (loose["documents"][0]["first"], loose["documents"][0]["last"]) == (1, 2)


def test_golden_cases_are_spaced_and_come_as_one_archive(evaluation: Evaluation) -> None:
    spec = Pipeline(SPEC).spec
    *_, golden = shipments(spec, evaluation, None, "pets", GoldenTerms(queries=1))
    archive = golden.download()
    assert (archive.name, archive.mime) == ("test_pets_golden_cases.zip", "application/zip")
    assert archive == golden.download()
    with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
        cases = json.loads(packed.read("pets_golden_cases.json"))
    assert len(cases["cases"]) == 1
    assert cases["corpus"]["documents"] is None
    *_, without = shipments(spec)
    assert "run one with this pipeline first" in without.absence
