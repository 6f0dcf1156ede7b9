"""Is this folder a whole model that may be run here? Looked at before any library opens it.

Libraries load a folder without its tokenizer, an adapter in place of a model, or a file that was
cut off, and then rank at random or fail in words nobody understands. Here each is refused in a
sentence that names the folder and the file. Code that comes with a model is never run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.core.text import load_json
from rerank_lab.models.locate.folder import LocatedModel

_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
)
"""Any one of these holds a vocabulary. A tokenizer_config.json alone does not."""

_MODULES = ("sentence_transformers.", "pylate.")
_EMBEDDINGS = (
    "word_embeddings.weight",
    "tok_embeddings.weight",
    "embed_tokens.weight",
    "shared.weight",
    "wte.weight",
)
_LEAST_SHARE = 0.7
"""Vocabularies are padded to round numbers, at most by a few hundredths."""
_LONGEST_HEADER = 100_000_000
_sound: set[str] = set()
"""Digests of models that were looked at; a digest changes with the files."""


def require_sound(located: LocatedModel, *, converted: bool = False) -> None:
    """Raises ModelUnavailable, in one sentence, for the first thing that is wrong with a folder.

    The architecture of a `converted` model was known when it was converted: looking it up again
    would import torch, which a converted model does without.
    """
    if located.where == "package" or (located.gguf_file and not located.has_safetensors):
        return  # compared with its SHA-256 sums; and a GGUF file holds all there is
    if located.digest in _sound:
        return
    _require_no_adapter(located)
    kinds, inner = _modules(located)
    if any(not kind.startswith(_MODULES) for kind in kinds):
        raise code_refused(located)
    if not converted and (not kinds or kinds[0].endswith("Transformer")):
        _require_known_architecture(located, _read_json(located, f"{inner}config.json"))
    _require_tokenizer(located, inner)
    here = (
        path for pattern in ("*", "*/*") for path in located.folder.glob(f"{pattern}.safetensors")
    )
    for path in sorted({*here, *_shards(located)}):
        _require_whole(located, path)
    _require_vocabulary(located, inner)
    _sound.add(located.digest)


def _require_no_adapter(located: LocatedModel) -> None:
    if (located.folder / "adapter_config.json").is_file() and not any(
        path.name != "adapter_model.safetensors" for path in located.folder.glob("*.safetensors")
    ):
        base = located.json("adapter_config.json").get("base_model_name_or_path") or "its base"
        raise ModelUnavailable(
            f"{located.name} is an adapter, not a model: it changes the weights of {base}, which "
            "are not in its folder.",
            hint=f'Name both: decoder(model="{base}",adapter="{located.name}"), or merge them with '
            "PEFT (merge_and_unload) and name the merged folder.",
        )


def _require_known_architecture(located: LocatedModel, config: dict[str, Any]) -> None:
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind:
        raise ModelUnavailable(
            f"The config.json of {located.name} names no model_type.",
            hint=f"Fetch {located.folder / 'config.json'} again from where the model comes.",
        )
    if kind in CONFIG_MAPPING:
        return
    if config.get("auto_map"):
        raise code_refused(located)
    raise ModelUnavailable(
        f"{located.name} is of the type {kind!r}, which the installed transformers does not know.",
        hint="Update transformers, or check model_type in its config.json.",
    )


def code_refused(located: LocatedModel) -> ModelUnavailable:
    """For a model that only runs with code of its own."""
    modules = ", ".join(sorted(path.name for path in located.folder.glob("*.py")))
    return ModelUnavailable(
        f"{located.name} needs code that comes with it{f' ({modules})' if modules else ''}, "
        "and a model's own code is never run here.",
        hint="Choose a model of an architecture that transformers knows by itself, or serve this "
        "one apart and use it as a hosted reranker.",
    )


def _modules(located: LocatedModel) -> tuple[list[str], str]:
    """Classes of a sentence-transformers model, and its first part's folder ("" or "name/")."""
    try:
        parts = load_json((located.folder / "modules.json").read_text("utf-8"))
        kinds = [str(part["type"]) for part in parts]
        inner = str(parts[0].get("path", ""))
    except FileNotFoundError:
        return [], ""
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise _unreadable(located, "modules.json", error) from error
    return kinds, f"{inner.strip('/')}/" if inner else ""


def _require_tokenizer(located: LocatedModel, inner: str) -> None:
    if any((located.folder / f"{inner}{name}").is_file() for name in _TOKENIZERS):
        if (located.folder / f"{inner}tokenizer.json").is_file():
            _read_json(located, f"{inner}tokenizer.json")
        return
    raise ModelUnavailable(
        f"{located.name} has no tokenizer: {located.folder / inner} holds none of tokenizer.json, "
        "vocab.txt, tokenizer.model, so that every word would be unknown to the model.",
        hint="Fetch the tokenizer's files from where the weights come, into the same folder.",
    )


def _require_whole(located: LocatedModel, path: Path) -> None:
    """A safetensors file is as long as its header says."""
    size = path.stat().st_size if path.is_file() else -1
    if size < 0:
        raise ModelUnavailable(
            f"{located.name} lacks {path.name}, which its model.safetensors.index.json lists.",
            hint="Fetch the model again: its download is not complete.",
        )
    header = tensor_header(path)
    end = max((_end(entry) for entry in header.values()), default=0) if header else -1
    if end < 0 or size != _header_length(path) + 8 + end:
        raise ModelUnavailable(
            f"{path.name} of {located.name} is cut off or damaged: it has {size:,} bytes, and its "
            "header speaks of another length.",
            hint=f"Fetch {path} again: a download or copy of it did not end.",
        )


def _require_vocabulary(located: LocatedModel, inner: str) -> None:
    """Every token id has a row in the embeddings, and most rows have a token."""
    highest = _highest_token(located.json(f"{inner}tokenizer.json"))
    rows = _embedding_rows(located.folder / inner)
    if not highest or not rows or _LEAST_SHARE * rows <= highest + 1 <= rows:
        return
    raise ModelUnavailable(
        f"The tokenizer of {located.name} is not that of its weights: tokenizer.json has "
        f"{highest + 1:,} tokens, the model's embeddings {rows:,} rows.",
        hint="Fetch tokenizer.json and the weights again from one and the same model.",
    )


def tensor_header(path: Path) -> dict[str, dict[str, Any]]:
    """Tensors of a safetensors file: name -> dtype, shape, data_offsets; {} if unreadable."""
    try:
        length = _header_length(path)
        if not 0 < length <= _LONGEST_HEADER:
            return {}
        with path.open("rb") as stream:
            stream.seek(8)
            header = load_json(stream.read(length))
    except (OSError, ValueError):
        return {}
    if not isinstance(header, dict):
        return {}
    return {k: v for k, v in header.items() if k != "__metadata__" and isinstance(v, dict)}


def _header_length(path: Path) -> int:
    with path.open("rb") as stream:
        return int.from_bytes(stream.read(8), "little")


def _end(entry: dict[str, Any]) -> int:
    try:
        return int(entry["data_offsets"][1])
    except (KeyError, IndexError, TypeError, ValueError):
        return -1


def _shards(located: LocatedModel) -> Iterator[Path]:
    weight_map = located.json("model.safetensors.index.json").get("weight_map")
    if isinstance(weight_map, dict):
        for name in {str(name) for name in weight_map.values()}:
            yield located.folder / Path(name).name


def _highest_token(tokenizer: dict[str, Any]) -> int:
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    ids = [len(vocabulary) - 1] if isinstance(vocabulary, list) else []
    if isinstance(vocabulary, dict):
        ids = [i for i in vocabulary.values() if isinstance(i, int)]
    added = tokenizer.get("added_tokens")
    for token in added if isinstance(added, list) else ():
        if isinstance(token, dict) and isinstance(token.get("id"), int) and ids:
            ids.append(token["id"])
    return max(ids, default=0)


def _embedding_rows(folder: Path) -> int:
    for path in folder.glob("*.safetensors"):
        for name, entry in tensor_header(path).items():
            shape = entry.get("shape")
            if name.endswith(_EMBEDDINGS) and isinstance(shape, list) and len(shape) == 2:
                return int(shape[0])
    return 0


def _read_json(located: LocatedModel, name: str) -> dict[str, Any]:
    path = located.folder / name
    try:
        read = load_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelUnavailable(
            f"{located.name} has no {name}, so that nobody knows how its weights are to be run.",
            hint=f"Fetch {name} from where the weights come, into {located.folder}.",
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(located, name, error) from error
    if not isinstance(read, dict):
        raise _unreadable(located, name, ValueError("it is not a JSON object"))
    return read


def _unreadable(located: LocatedModel, name: str, error: Exception) -> ModelUnavailable:
    return ModelUnavailable(
        f"{name} of {located.name} cannot be read: {error}.",
        hint=f"Fetch {located.folder / name} again from where the model comes.",
    )
