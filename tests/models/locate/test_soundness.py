"""Folders that must not be run: code of their own, and models that are not whole."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.corpora.load import corpus_from_texts
from rerank_lab.models import open_encoder, open_scorer, open_sparse_encoder, open_token_encoder
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.locate.soundness import require_sound
from rerank_lab.models.prompt_templates import DECODERS, DUOT5, SEQ2SEQ
from rerank_lab.models.torch import loading
from rerank_lab.models.torch.causal import CausalModel
from rerank_lab.models.torch.fusion_in_decoder import open_fusion_in_decoder
from rerank_lab.models.torch.one_context import open_context_scorer
from rerank_lab.models.torch.prompted import open_prompted_model
from rerank_lab.pipeline.pipeline import Pipeline
from tests.models.tiny import save_cross_encoder

CTX = Context()
PACKAGE = Path(loading.__file__).parents[2]
LOADERS: dict[str, Callable[[str], object]] = {
    "cross-encoder": lambda f: open_scorer(f, CTX),
    "bi-encoder": lambda f: open_encoder(f, CTX),
    "late interaction": lambda f: open_token_encoder(f, CTX),
    "splade": lambda f: open_sparse_encoder(f, CTX),
    "decoder": lambda f: open_prompted_model(f, DECODERS["qwen3"], CTX),
    "seq2seq": lambda f: open_prompted_model(f, SEQ2SEQ["monot5"], CTX),
    "duot5": lambda f: open_prompted_model(f, DUOT5, CTX),
    "lit5": lambda f: open_fusion_in_decoder(f, CTX),
    "jina-v3": lambda f: open_context_scorer(f, CTX),
    "language model": lambda f: CausalModel(f).load(CTX),
    "configuration": lambda f: loading.load_config(locate(f)),
    "tokenizer": lambda f: loading.load_tokenizer(locate(f)),
    "transformers": lambda f: loading.load_model(locate(f), "AutoModel", "float32"),
    "sentence-transformers": lambda f: loading.load_sentence_transformer(
        locate(f), "SentenceTransformer", "cpu", "float32"
    ),
}


def edit(path: Path, **changes: object) -> None:
    values = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**values, **changes}))


def with_code(folder: Path, marker: Path, architecture: str) -> Path:
    """A model whose own code leaves a file behind as soon as it is imported."""
    save_cross_encoder(folder)
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w').write('ran')\n")
    edit(
        folder / "config.json",
        model_type="evilbert",
        architectures=[architecture],
        auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"},
    )
    return folder


@pytest.mark.parametrize("loader", LOADERS)
def test_no_loader_runs_the_code_of_a_folder_or_asks_for_it(
    loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    marker = tmp_path / "ran"
    architecture = "EvilForMaskedLM" if loader == "splade" else "EvilForSequenceClassification"
    folder = with_code(tmp_path / "m", marker, architecture)
    with pytest.raises(ModelUnavailable, match=r"\(evil\.py\), and a model's own code is never"):
        LOADERS[loader](str(folder))
    assert not marker.exists()


def test_one_module_alone_loads_model_folders_and_it_refuses_their_code() -> None:
    calls = re.compile(r"\.from_pretrained\(|\.from_config\(|trust_remote_code=True")
    users = {p for p in PACKAGE.rglob("*.py") if calls.search(p.read_text("utf-8"))}
    assert {p.name for p in users} == {"loading.py", "relevance_head.py"}
    for path in users:
        text = path.read_text("utf-8")
        assert text.count("**_SAFE") + text.count("trust_remote_code=False") >= len(
            calls.findall(text)
        )


def test_a_module_from_elsewhere_is_not_imported(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": "antigravity.Module"}]))
    with pytest.raises(ModelUnavailable, match="own code is never run"):
        open_scorer(str(folder), CTX)


def cut_off(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-200])


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def of_another_model(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] |= {f"more{i}": 10_000 + i for i in range(5)}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def adapter_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    edit(folder / "adapter_config.json", peft_type="LORA", base_model_name_or_path="owner/base")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_tokenizer, "has no tokenizer"),
        (cut_off, r"model\.safetensors of .* is cut off"),
        (of_another_model, r"tokenizer of .* is not that of its weights"),
        (adapter_only, "is an adapter, not a model: it changes the weights of owner/base"),
        (lambda f: (f / "config.json").unlink(), r"has no config\.json"),
        (lambda f: (f / "config.json").write_text("{oops"), r"config\.json of .* cannot be read"),
        (lambda f: edit(f / "config.json", model_type=""), "names no model_type"),
        (lambda f: edit(f / "config.json", model_type="newbert"), "does not know"),
        (
            lambda f: edit(
                f / "model.safetensors.index.json", weight_map={"a": "model-2.safetensors"}
            ),
            r"lacks model-2\.safetensors",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_refused_in_its_own_sentence(
    spoil: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    folder = save_cross_encoder(tmp_path)
    require_sound(locate(str(folder)))
    spoil(folder)
    with pytest.raises(ModelUnavailable, match=words) as caught:
        open_scorer(str(folder), CTX)
    assert str(folder) in str(caught.value)


def test_a_language_model_is_no_cross_encoder_without_its_template(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    edit(folder / "config.json", architectures=["Qwen3ForCausalLM"])
    with pytest.raises(ModelUnavailable, match="without that template") as caught:
        open_scorer(str(folder), CTX)
    assert "decoder(model=" in caught.value.hint


def test_weights_that_are_no_numbers_rank_nothing(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    weights = load_file(folder / "model.safetensors")
    damaged = {name: tensor * float("nan") for name, tensor in weights.items()}
    save_file(damaged, folder / "model.safetensors", metadata={"format": "pt"})
    pipeline = Pipeline(f'bm25 >> cross-encoder(model="{folder}",backend="torch")')
    error = pipeline.run("berlin", corpus_from_texts("people in berlin\nberlin museums")).error
    assert error is not None
    assert "2 of 2 documents a score that is not a number" in error.message
