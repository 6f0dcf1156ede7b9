"""A model's files in a folder of this machine: which are read, what they say, their digest.

No pickle is ever read, and nothing here imports a model library.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerank_lab.components.catalogue import CatalogueModel
from rerank_lab.components.model_state import Where
from rerank_lab.core.text import load_json

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PICKLED = (".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_WEIGHTS = (".safetensors", ".onnx", ".gguf")
_READ = (*_WEIGHTS, ".json", ".txt", ".model")
"""File types that are read: weights, and the text files beside them. None of them is a pickle."""

_hashes: dict[tuple[str, int, int], str] = {}
_hashes_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A model's files on this machine. `digest` changes whenever a file that is read changes."""

    name: str
    folder: Path
    where: Where
    digest: str
    entry: CatalogueModel | None

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder, empty when there is none or it cannot be read."""
        try:
            read = load_json((self.folder / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    @property
    def architecture(self) -> str:
        """The first class that config.json names, such as "BertForSequenceClassification"."""
        names = self.json("config.json").get("architectures")
        return str(names[0]) if isinstance(names, list) and names else ""

    @property
    def onnx_file(self) -> Path | None:
        """The ONNX graph that came with the model, if one did."""
        names = ("model.onnx", "onnx/model_quantized.onnx", "onnx/model.onnx")
        return next((p for p in (self.folder / name for name in names) if p.is_file()), None)

    @property
    def gguf_file(self) -> Path | None:
        """The GGUF file, if there is one: only for language models that are asked questions."""
        return next(iter(sorted(self.folder.glob("*.gguf"))), None)

    @property
    def has_safetensors(self) -> bool:
        """Whether it has weights that torch can run."""
        return any(self.folder.glob("*.safetensors")) or any(self.folder.glob("*/*.safetensors"))

    @property
    def weights_size(self) -> int:
        """Bytes of the weight files."""
        weights = (path for path in read_files(self.folder) if path.suffix in _WEIGHTS)
        return sum(path.stat().st_size for path in weights)

    @property
    def max_length(self) -> int:
        """Tokens that the model reads at most, by the catalogue, else by its own files."""
        if self.entry is not None:
            return self.entry.max_length
        limits = [
            self.json("sentence_bert_config.json").get("max_seq_length"),
            self.json("tokenizer_config.json").get("model_max_length"),
        ]
        known = [int(limit) for limit in limits if isinstance(limit, int) and 0 < limit < 1_000_000]
        positions = self.json("config.json").get("max_position_embeddings")
        if isinstance(positions, int):
            offset = 2 if self.json("config.json").get("model_type") in _OFFSET_POSITIONS else 0
            known.append(positions - offset)
        return min(known, default=512)


_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Architectures that reserve the first two positions for padding."""


def unreadable(folder: Path) -> str:
    """Why the weights in this folder cannot be read, or "" when they can.

    A part of a model with pickled weights only is refused as well as a whole one.
    """
    files = _files(folder)
    safe = {path.parent for path in files if path.suffix in _WEIGHTS}
    pickled = [p for p in files if _is_pickled(p) and (p.parent not in safe)]
    if pickled:
        return (
            f"Weights of {folder.name} are pickled ({inside(pickled[0], folder)}), "
            "and unpickling can run any code."
        )
    return "" if safe else f"{folder.name} holds no weights ({', '.join(_WEIGHTS)})."


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, remembered until its size or time of change differs."""
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    with _hashes_guard:
        known = _hashes.get(key)
    if known is None:
        with path.open("rb") as stream:
            known = hashlib.file_digest(stream, "sha256").hexdigest()
        with _hashes_guard:
            _hashes[key] = known
    return known


def content_id(path: Path) -> str:
    """SHA-256 of a file; the hub's cache names large files by it, which saves reading gigabytes."""
    target = path.resolve().name if path.is_symlink() else ""
    return target if _SHA256.fullmatch(target) else sha256_of(path)


def read_files(folder: Path) -> list[Path]:
    """The files of a model that are read, in the order of their names."""
    return [path for path in _files(folder) if path.suffix in _READ]


def _files(folder: Path) -> list[Path]:
    """Files of a model: in its folder and one below, where the parts of a model are kept."""
    paths = [p for pattern in ("*", "*/*") for p in folder.glob(pattern) if p.is_file()]
    return sorted(p for p in paths if not inside(p, folder).startswith("."))


def _is_pickled(path: Path) -> bool:
    # Other .bin files (training arguments, OpenVINO weights) are never read.
    named = path.suffix == ".bin" and path.name.startswith(("pytorch_model", "model"))
    return named or path.suffix in _PICKLED


def inside(path: Path, folder: Path) -> str:
    """A file's path within a folder, with slashes."""
    return path.relative_to(folder).as_posix()


def digest_of(files: Mapping[str, str]) -> str:
    """One digest for files by name and SHA-256."""
    return hashlib.sha256(json.dumps(dict(sorted(files.items()))).encode()).hexdigest()
