"""Trained models on disk: `ltr/<name>.json` in the data folder, one file each, never a pickle."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from rerank_lab.core.errors import InvalidInput, nearest
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import file_lock, write_file
from rerank_lab.fusion.learned.learners import Trees, read
from rerank_lab.fusion.learned.model import LearnedModel, checked_name

_log = logging.getLogger(__name__)
_FORMAT = 1
_MAX_BYTES = 256 << 20


def save_model(model: LearnedModel, *, replace: bool = False) -> Path:
    """Keep a model under its name; the file changes all at once. Returns the file.

    Args:
        replace: take the place of a model of the same name.

    Raises:
        InvalidInput: There is a model of that name, and it is not to be replaced. Of two processes
            that save under one name, the second is refused.
        StorageError: The data folder cannot be written.
    """
    file = _file(model.name)
    with file_lock(file):
        if not replace:
            require_free_name(model.name)
        write_file(file, msgspec.json.encode({"format": _FORMAT} | model.to_json()))
    return file


def require_free_name(name: str) -> None:
    """Raise InvalidInput when there is a model of that name, or it cannot be one."""
    if name_taken(name):
        raise InvalidInput(
            f"There is a trained model {name!r} already; it was kept.",
            hint="Choose another name, or replace it: --replace on the command line, replace=True "
            "in Python.",
        )


def name_taken(name: str) -> bool:
    """Whether there is a model of that name. Raises InvalidInput when it cannot be one."""
    return _file(name).exists()


def load_model(name: str) -> LearnedModel:
    """The model of that name. Raises InvalidInput when there is none, or its file is damaged."""
    file = _file(name)
    try:
        state = file.stat()
    except FileNotFoundError:
        known = [path.stem for path in _files()]
        raise InvalidInput(
            f"There is no trained model {name!r} here{nearest(name, known)}.".replace("?.", "?"),
            hint="Train one on the Train page or with rerank-lab train, or choose one of its list.",
        ) from None
    return _read(file, state.st_mtime_ns, state.st_size)


def load_trees(model: LearnedModel) -> Trees:
    """Its trees, ready to predict; read once."""
    return _trees(model.settings.learner, model.trees)


def list_models() -> list[LearnedModel]:
    """Every readable model, the latest first."""
    models: list[LearnedModel] = []
    for file in _files():
        try:
            models.append(load_model(file.stem))
        except InvalidInput as error:
            _log.warning("%s", error)
    return sorted(models, key=lambda model: model.origin.created_at, reverse=True)


def delete_model(name: str) -> None:
    """Remove it; a name that is not there is nothing to remove."""
    _file(name).unlink(missing_ok=True)


@lru_cache(maxsize=16)
def _read(file: Path, _changed: int, size: int) -> LearnedModel:
    try:
        if size > _MAX_BYTES:
            raise ValueError(f"{size:,} bytes are too many")
        saved = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        if saved.get("format") != _FORMAT:
            raise ValueError(f"format {saved.get('format')!r} is not known")
        return LearnedModel.from_json(saved)
    except (OSError, ValueError) as fault:
        raise InvalidInput(
            f"The trained model {file.stem!r} cannot be read: {fault}.",
            hint="Delete it and train it again.",
            details=str(file),
        ) from fault


@lru_cache(maxsize=8)
def _trees(learner: str, text: str) -> Trees:
    return read("xgboost" if learner == "xgboost" else "lightgbm", text)


def _file(name: str) -> Path:
    return data_home() / "ltr" / f"{checked_name(name)}.json"


def _files() -> list[Path]:
    folder = data_home() / "ltr"
    return sorted(folder.glob("*.json")) if folder.is_dir() else []
