"""The learners: LambdaMART as LightGBM and XGBoost have it, trained the same way every time.

LambdaMART: Burges, "From RankNet to LambdaRank to LambdaMART: An Overview", MSR-TR-2010-82. One
thread and a fixed seed, so that the same examples give the same trees. Models are kept as the text
that each library writes; they never pass through pickle.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput, LabError, MissingExtra
from rerank_lab.core.text import load_json
from rerank_lab.fusion.learned.features import Matrix
from rerank_lab.fusion.learned.settings import DEFAULT_SETTINGS, Learner, LearnerSettings

MAX_GRADE = 30
"""Both learners gain 2^grade - 1 by a document; grades above count as this one."""
_OPENMP = "libgomp"


class Trees(Protocol):
    """A trained model. `importances` are gain and number of splits by feature, in their order."""

    def predict(self, matrix: Matrix) -> NDArray[np.float64]:
        """Scores of shape `[n_documents]` for a matrix of shape `[n_documents, n_features]`."""

    def text(self) -> str:
        """The model as its library writes it; `read` takes it back."""

    def importances(self) -> list[tuple[float, int]]:
        """Gain and number of splits of each feature."""


def fit(
    matrix: Matrix,
    grades: Sequence[int],
    sizes: Sequence[int],
    settings: LearnerSettings = DEFAULT_SETTINGS,
) -> Trees:
    """Train on the rows of several queries, `sizes` rows each, one query after the other.

    Raises MissingExtra when the learner is not installed, InvalidInput for settings that it
    refuses.
    """
    labels = np.clip(np.asarray(grades), 0, MAX_GRADE)
    make = _fit_lightgbm if settings.learner == "lightgbm" else _fit_xgboost
    try:
        return make(matrix, labels, sizes, settings)
    except _faults(settings.learner) as fault:
        raise InvalidInput(
            f"{settings.learner} cannot train on this: {_first_line(fault)}",
            hint="Use fewer leaves, or more judged queries.",
        ) from fault


def read(learner: Learner, text: str) -> Trees:
    """A model from its text. Raises InvalidInput when it is none, MissingExtra without learner.

    Texts that are plainly something else are not handed over: XGBoost ends the process on some.
    """
    if not (_is_lightgbm(text) if learner == "lightgbm" else _is_xgboost(text)):
        raise InvalidInput(
            f"The trees of this model cannot be read: this is no text of {learner}.",
            hint="Train it again.",
        )
    try:
        return _read_lightgbm(text) if learner == "lightgbm" else _read_xgboost(text)
    except _faults(learner) as fault:
        raise InvalidInput(
            f"The trees of this model cannot be read: {_first_line(fault)}",
            hint="Train it again.",
        ) from fault


def load_library(learner: Learner) -> Any:
    """The learner's package. Raises MissingExtra, or LabError when it is there but does not load.

    LightGBM needs the system's OpenMP library, which small Linux images lack; the one that comes
    with torch does as well.
    """
    try:
        return importlib.import_module(learner)
    except ImportError as error:
        raise MissingExtra.of(f"Learning to rank with {learner}", "ltr") from error
    except OSError as error:
        if _OPENMP in str(error) and _load_openmp():
            return importlib.import_module(learner)
        raise LabError(
            f"{learner} is installed but does not load: {error}",
            hint="Install the OpenMP library (Debian: apt install libgomp1; macOS: brew install "
            "libomp), or choose the other learner.",
        ) from error


def _load_openmp() -> bool:
    torch = importlib.util.find_spec("torch")
    for folder in (torch.submodule_search_locations if torch else None) or ():
        for file in sorted(Path(folder, "lib").glob("libgomp*.so*")):
            ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
            return True
    return False


def lightgbm_parameters(settings: LearnerSettings, documents: int) -> dict[str, Any]:
    """What LightGBM is given, in its own words, to train on that many documents."""
    return {
        "objective": "lambdarank",
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.min_leaf or max(2, min(50, documents // 100)),
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def xgboost_parameters(settings: LearnerSettings) -> dict[str, Any]:
    """What XGBoost is given, in its own words: leaf by leaf, as LightGBM grows its trees."""
    return {
        "objective": "rank:ndcg",
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_depth": 0,
        "max_leaves": settings.leaves,
        "eta": settings.learning_rate,
        "seed": settings.seed,
        "device": "cpu",
        "nthread": 1,
        "verbosity": 0,
    }


class _LightGBM:
    def __init__(self, booster: Any) -> None:
        self._booster = booster

    def predict(self, matrix: Matrix) -> NDArray[np.float64]:
        return np.asarray(self._booster.predict(matrix, num_threads=1), dtype=np.float64)

    def text(self) -> str:
        return str(self._booster.model_to_string())

    def importances(self) -> list[tuple[float, int]]:
        gains = self._booster.feature_importance("gain")
        splits = self._booster.feature_importance("split")
        return _pairs(gains, splits)


class _XGBoost:
    def __init__(self, booster: Any, library: Any) -> None:
        self._booster = booster
        self._library = library
        self._lock = threading.Lock()

    def predict(self, matrix: Matrix) -> NDArray[np.float64]:
        rows = self._library.DMatrix(matrix, nthread=1)
        with self._lock:
            return np.asarray(self._booster.predict(rows), dtype=np.float64)

    def text(self) -> str:
        return bytes(self._booster.save_raw("json")).decode()

    def importances(self) -> list[tuple[float, int]]:
        count = int(self._booster.num_features())
        gains = self._booster.get_score(importance_type="total_gain")
        splits = self._booster.get_score(importance_type="weight")
        names = [f"f{place}" for place in range(count)]
        return _pairs([gains.get(n, 0.0) for n in names], [splits.get(n, 0) for n in names])


def _fit_lightgbm(
    matrix: Matrix, labels: NDArray[Any], sizes: Sequence[int], settings: LearnerSettings
) -> Trees:
    library = load_library("lightgbm")
    rows = library.Dataset(matrix, label=labels, group=list(sizes), free_raw_data=False)
    parameters = lightgbm_parameters(settings, len(labels))
    return _LightGBM(library.train(parameters, rows, settings.rounds))


def _fit_xgboost(
    matrix: Matrix, labels: NDArray[Any], sizes: Sequence[int], settings: LearnerSettings
) -> Trees:
    library = load_library("xgboost")
    rows = library.DMatrix(matrix, label=labels, nthread=1)
    rows.set_group(list(sizes))
    booster = library.train(xgboost_parameters(settings), rows, settings.rounds)
    return _XGBoost(booster, library)


def _read_lightgbm(text: str) -> Trees:
    return _LightGBM(load_library("lightgbm").Booster(model_str=text))


def _read_xgboost(text: str) -> Trees:
    library = load_library("xgboost")
    booster = library.Booster({"nthread": 1})
    booster.load_model(bytearray(text.encode()))
    return _XGBoost(booster, library)


def _is_lightgbm(text: str) -> bool:
    return text.startswith("tree\nversion=") and "end of trees" in text


def _is_xgboost(text: str) -> bool:
    try:
        saved = load_json(text)
        booster = saved["learner"]["gradient_booster"]["model"]
        return len(saved["version"]) == 3 and isinstance(booster["trees"], list)
    except (ValueError, KeyError, TypeError):
        return False


def _faults(learner: Learner) -> type[Exception]:
    """The library's own error class. A missing library is reported by whoever loads it."""
    library = load_library(learner)
    error_class: type[Exception] = (
        library.basic.LightGBMError if learner == "lightgbm" else library.core.XGBoostError
    )
    return error_class


def _pairs(gains: Iterable[Any], splits: Iterable[Any]) -> list[tuple[float, int]]:
    return [(float(gain), int(split)) for gain, split in zip(gains, splits, strict=True)]


def _first_line(fault: Exception) -> str:
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0][:300]
