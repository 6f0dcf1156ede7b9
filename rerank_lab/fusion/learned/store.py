"""Trained models on disk: `ltr/<name>.json` in the data folder, one file each, never a pickle."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from pathlib import Path

from rerank_lab.core.errors import InvalidInput, nearest
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import write_file
from rerank_lab.fusion.learned.learners import Trees, read
from rerank_lab.fusion.learned.model import LearnedModel, checked_name

_log = logging.getLogger(__name__)
_FORMAT = 1
_MAX_BYTES = 256 << 20


def save_model(model: LearnedModel) -> Path:
    """Keep it under its name, in the place of an earlier one; the file changes all at once."""
    file = _file(model.name)
    write_file(file, json.dumps({"format": _FORMAT} | model.to_json()))
    return file


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
        saved = json.loads(file.read_text("utf-8"))
        if saved["format"] != _FORMAT:
            raise ValueError(f"format {saved['format']!r} is not known")
        return LearnedModel.from_json(saved)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
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
