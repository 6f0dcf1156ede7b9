"""Corpora from object storage at every door: Python, the command line, and what is kept of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.cli import main
from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import attach_qrels, import_corpus, load_corpus
from rerank_lab.corpora.importing import ImportOptions
from rerank_lab.corpora.store import imported_entry, read_origin, read_summary
from rerank_lab.testing.object_servers import FileServer

pytest.importorskip("s3fs")
CORPUS = b'{"_id": "a", "text": "the red fox"}\n{"_id": "b", "text": "a blue bird"}\n'
QUERIES = b'{"_id": "q", "text": "red fox"}\n'
QRELS = b"query-id\tcorpus-id\tscore\nq\ta\t1\n"


@pytest.fixture
def bucket(s3: Any) -> Any:
    files = {"corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, "qrels/test.tsv": QRELS}
    for name, content in files.items():
        s3.put_object(Bucket="bucket", Key=f"beir/{name}", Body=content)
    return s3


def run(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_address_stands_wherever_a_corpus_is_named(bucket: Any) -> None:
    corpus = load_corpus("s3://bucket/beir/")
    assert (corpus.name, corpus.ids, corpus.qrels) == ("beir", ["a", "b"], {"q": {"a": 1}})
    alone = load_corpus(
        "s3://bucket/beir/corpus.jsonl",
        queries="s3://bucket/beir/queries.jsonl",
        qrels="s3://bucket/beir/qrels/test.tsv",
    )
    assert alone.name == "corpus"
    assert (alone.content_hash, alone.qrels) == (corpus.content_hash, corpus.qrels)
    assert alone.meta["origin"].objects[0].etag


def test_an_import_keeps_where_it_came_from(
    bucket: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(capsys, "corpora", "import", "s3://bucket/beir/", "--name", "from afar")
    assert (report["kept"], report["queries"], report["judgments"]) == (2, 1, 1)
    folder = imported_entry("from afar").path
    origin = read_origin(folder)
    assert origin is not None
    assert report["origin"] == origin.to_json()
    assert [one["name"] for one in report["origin"]["objects"]] == [
        "corpus.jsonl", "qrels/test.tsv", "queries.jsonl",
    ]  # fmt: skip
    assert read_summary(folder)["origin"]["version"] == origin.version
    assert not any(run(capsys, "corpora", "changes", "from afar")[k] for k in ("changed", "added"))
    bucket.put_object(Bucket="bucket", Key="beir/corpus.jsonl", Body=CORPUS + b"\n")
    assert run(capsys, "corpora", "changes", "from afar")["changed"] == ["corpus.jsonl"]
    attach_qrels("from afar", "s3://bucket/beir/qrels/test.tsv")
    assert read_origin(folder) == origin
    assert main(["corpora", "import", "s3://bucket/beir/", "--name", "more"]) == 0
    assert "from s3://bucket/beir/: 3 files" in capsys.readouterr().out


def test_files_of_this_machine_have_no_address(tmp_path: Path) -> None:
    from rerank_lab.services.corpora import changes_since_import

    (tmp_path / "c.jsonl").write_bytes(CORPUS)
    import_corpus(tmp_path / "c.jsonl", "here")
    with pytest.raises(InvalidInput, match="not imported from an address"):
        changes_since_import("here")


def test_a_single_web_file_is_imported_under_its_own_name() -> None:
    with FileServer({"/docs/corpus.jsonl.gz": gzip.compress(CORPUS)}) as server:
        signed = f"{server.address}/docs/corpus.jsonl.gz?signature=5ec4e7f00d"
        report = import_corpus(signed, "web")
    assert report.readings[0].file == "corpus.jsonl.gz"
    stored = "".join(path.read_text("utf-8", "replace") for path in report.path.glob("*.json"))
    assert "5ec4e7f00d" not in stored
    assert "/docs/corpus.jsonl.gz" in stored


def test_a_bomb_is_bounded_as_in_an_upload() -> None:
    bomb = gzip.compress(b"a,b\n" * (60 << 20))
    with (
        FileServer({"/bomb.csv.gz": bomb}) as server,
        pytest.raises(InvalidInput, match="far more than its size"),
    ):
        import_corpus(f"{server.address}/bomb.csv.gz", "bomb", options=ImportOptions(format="csv"))


def test_a_folder_is_no_file_of_judgments(bucket: Any) -> None:
    with pytest.raises(InvalidInput, match="is a folder, not a file"):
        load_corpus("s3://bucket/beir/corpus.jsonl", qrels="s3://bucket/beir/")
