"""Which files of this machine a pipeline may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.components.base import KINDS
from rerank_lab.components.registry import Broken, infos, resolve
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import (
    FOLDERS_VARIABLE,
    app_folders,
    data_home,
    is_within,
    names_a_path,
    user_path,
)
from rerank_lab.core.types import Status
from rerank_lab.corpora.load import corpus_from_texts
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "::1"])
def test_on_this_machine_alone_the_home_folder_is_open(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(FOLDERS_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = app_folders(address)
    assert set(found) == {data_home().resolve(), tmp_path.resolve(), Path.cwd().resolve()}


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "192.168.1.4", "example.org"])
def test_once_others_can_reach_it_only_the_data_folder_is(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDERS_VARIABLE, raising=False)
    assert app_folders(address) == (data_home().resolve(),)


@pytest.mark.parametrize("address", ["localhost", "0.0.0.0"])
def test_the_operator_names_folders_instead(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, f"{tmp_path}:/srv/runs:")
    assert app_folders(address) == (data_home().resolve(), tmp_path.resolve(), Path("/srv/runs"))


def test_a_name_is_no_path_and_a_path_is_one_whether_it_exists_or_not(tmp_path: Path) -> None:
    for name in ("", "bge-small-en", "owner/name", "a wish in words", "x" * 5000, "nul\0byte"):
        assert not names_a_path(name)
    for path in ("/nowhere/x", "~/x", "./x", "../x", "C:\\x", "C:/x", "\\\\host\\x", str(tmp_path)):
        assert names_a_path(path)


def test_links_and_dots_do_not_lead_out(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.trec"
    inside.mkdir()
    outside.write_text("q Q0 d 1 1 x\n")
    (inside / "link.trec").symlink_to(outside)
    (inside / "own.trec").write_text("q Q0 d 1 1 x\n")
    folders = (inside.resolve(),)
    assert is_within(str(inside / "own.trec"), folders)
    assert is_within(str(inside / "not there yet"), folders)
    for path in (outside, inside / "link.trec", f"{inside}/../outside.trec", "~nobody-here/x"):
        assert not is_within(str(path), folders)


@pytest.mark.parametrize(
    "spec",
    [
        'run(path="{outside}")',
        'run(path="/nowhere/at/all")',
        'rrf(bm25,run(path="{outside}"))',
        'dense(model="{outside}")',
        'bm25 >> cross-encoder(model="{outside}")',
        'bm25 >> late-interaction(model="{outside}")',
        'bm25 >> seq2seq(model="{outside}")',
        'bm25 >> listwise(backend="local",model="{outside}")',
        'bm25 >> listwise(base_url="http://127.0.0.1:1",prompt="{outside}")',
        'bm25 >> setwise(prompt="../../other.yaml")',
    ],
)
def test_a_pipeline_does_not_read_where_it_may_not(spec: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("q Q0 1 1 1 secret\n")
    engine = Engine(tmp_path / "home")
    engine.readable = (tmp_path / "home",)
    pipeline = Pipeline(spec.format(outside=outside))
    result = pipeline.run("x", corpus_from_texts("x\ny"), engine=engine)
    assert result.status is Status.FAILED
    assert result.error is not None
    assert "may not read" in result.error.message
    assert FOLDERS_VARIABLE in result.error.hint
    assert "secret" not in f"{result.error.message} {result.error.details}"
    (problem,) = pipeline.check(engine=engine)
    assert "may not read" in problem.message


def test_an_allowed_run_file_is_read_and_without_limits_any_is(tmp_path: Path) -> None:
    run = tmp_path / "own.trec"
    corpus = corpus_from_texts("x\ny")
    run.write_text(f"q Q0 {corpus.documents[1].id} 1 1 x\n")
    node = resolve(f'run(path="{run}")').source
    for readable in (None, (tmp_path,)):
        engine = Engine(tmp_path / "home")
        engine.readable = readable
        assert engine.retriever(node).options["path"] == str(run)


def test_the_model_name_of_an_endpoint_may_look_like_a_path(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    engine.readable = (tmp_path,)
    node = resolve('bm25 >> listwise(model="/models/llama",base_url="http://127.0.0.1:1")').stages[
        0
    ]
    assert engine.reranker(node).options["model"] == "/models/llama"
    with pytest.raises(InvalidInput, match="may not read"):
        engine.reranker(
            resolve('bm25 >> listwise(backend="local",model="/models/llama")').stages[0]
        )


def test_every_option_that_names_a_place_is_marked() -> None:
    """By name: an option that says folder, file or path in its help, or a local model's."""
    for kind in KINDS:
        for info in infos(kind):
            assert not isinstance(info, Broken)
            for param in info.params:
                if param.variable:
                    continue  # names an environment variable, never a place
                told = param.help.casefold()
                if param.type is str and ("folder" in told or " file" in told):
                    assert param.local, f"{info.name}.{param.name}"


@pytest.mark.parametrize("value", ["x" * 5000, "a\x00b", "~nobody-of-this-name/file"])
def test_what_no_file_can_be_called_is_refused_in_words(value: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a file"):
        user_path(value)


def test_a_path_that_is_not_there_yet_is_a_path(tmp_path: Path) -> None:
    assert user_path(tmp_path / "new" / "file") == tmp_path / "new" / "file"
    (tmp_path / "file").write_text("")
    assert user_path(tmp_path / "file" / "below") == tmp_path / "file" / "below"
