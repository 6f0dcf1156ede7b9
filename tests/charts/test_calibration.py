"""The figures of the Calibrate page draw what was counted, in both themes."""

from __future__ import annotations

import numpy as np
import pytest

from rerank_lab.charts.calibration import reliability_chart, threshold_chart
from rerank_lab.charts.figures import DARK, LIGHT, Theme
from rerank_lab.evaluation.calibration.figures import measured
from tests.charts.validated import validated

SAID = np.asarray([0.1, 0.3, 0.6, 0.9])
FITTED = measured("platt", "platt", SAID, np.asarray([0.0, 0.0, 1.0, 1.0]), ("a", "a", "b", "b"))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_points_are_bins_with_their_intervals(theme: Theme) -> None:
    ideal, points = validated(reliability_chart(FITTED, theme)).data
    assert list(ideal.x) == [0, 1]
    assert list(points.x) == [0.1, 0.3, 0.6, 0.9]
    assert list(points.y) == [0.0, 0.0, 1.0, 1.0]
    assert points.error_y.array[0] == pytest.approx(FITTED.bins[0].high)
    assert points.line.color == theme.accent


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_chosen_threshold_stands_upright(theme: Theme) -> None:
    cut = next(cut for cut in FITTED.cuts if cut.precision == 1.0)
    figure = validated(threshold_chart(FITTED, cut, theme))
    assert [trace.name for trace in figure.data] == ["precision", "recall"]
    assert figure.layout.shapes[0].x0 == cut.threshold
    assert not validated(threshold_chart(FITTED, None, theme)).layout.shapes
