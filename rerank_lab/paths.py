"""Where things are kept: one data folder, `RERANK_LAB_HOME` or the platform's own place for it."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "RERANK_LAB_HOME"


def data_home() -> Path:
    """The data folder (not created here): corpora, indexes, models, experiments, scores."""
    given = os.environ.get(HOME_VARIABLE, "").strip()
    if given:
        return Path(given).expanduser().absolute()
    from platformdirs import user_data_path

    return Path(user_data_path("rerank-lab"))


def samples_home() -> Path:
    """The folder of the sample corpora that come with the project."""
    return Path(__file__).resolve().parent.parent / "sample_corpora"
