"""How a model is trained. Imports nothing heavy: the command line reads it for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Learner = Literal["lightgbm", "xgboost"]
LEARNERS: tuple[Learner, ...] = ("lightgbm", "xgboost")


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """How a model is trained. Few leaves and slow learning: judgments are few as a rule.

    `min_leaf`, how many documents a leaf needs, is LightGBM's alone; 0 stands for one in a hundred
    of those trained on, 2 to 50.
    """

    learner: Learner = "lightgbm"
    rounds: int = 100
    leaves: int = 7
    learning_rate: float = 0.05
    min_leaf: int = 0
    seed: int = 0


DEFAULT_SETTINGS = LearnerSettings()
