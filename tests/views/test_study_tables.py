"""The tables of the deeper questions: every value, in every form."""

from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet
import pytest

from rerank_lab.decision.cost import Capacity, CostStudy, CostTerms, PipelineCost
from rerank_lab.evaluation.depth.study import DepthStudy
from rerank_lab.evaluation.grid.study import GridStudy
from rerank_lab.evaluation.load.study import LoadStudy
from rerank_lab.evaluation.rag.study import (
    AnswerFigures,
    ContextFigures,
    PipelineContexts,
    RagStudy,
)
from rerank_lab.evaluation.robustness.study import (
    PerturbationEffect,
    PipelineRobustness,
    RankMovement,
    RobustnessStudy,
)
from rerank_lab.evaluation.statistics import paired
from rerank_lab.evaluation.tuning.study import SearchStudy, Trial
from rerank_lab.views.study_tables import TABLE_FILES, AnyStudy, study_table
from tests.views.reports import kept_studies

SPEC = "bm25 >> overlap"
PAIRED = paired({"a": 0.1, "b": 0.5}, {"a": 0.3, "b": 0.6})
CONTEXT = ContextFigures(9, 0.5, 0.4, 0.9, None, 0, 0.1, 512.5, 600.0, 0.3, (4, 2), 0.2, 0.1)


def every() -> dict[str, AnyStudy]:
    depth, load, grid = (study.result for study in kept_studies("bm25", SPEC))
    tried = (Trial(SPEC, (("b", 0.3), ("long", "head")), 0.5), Trial("bm25", (("b", "off"),), None))
    effect = PerturbationEffect("typos", 9, 1, 0, PAIRED, RankMovement(1.5, 0.9, None, 0.1))
    answers = AnswerFigures(8, 0.5, 0.25, 0.25, 1, 0.6)
    contexts = PipelineContexts(SPEC, CONTEXT, CONTEXT, {"precision": PAIRED}, answers=answers)
    cost = PipelineCost("=cmd|x", CostTerms(), capacity=Capacity(2.5))
    return {
        "depth": DepthStudy.from_json(depth),
        "load": LoadStudy.from_json(load),
        "grid": GridStudy.from_json(grid),
        "tuning": SearchStudy("c", "h", "AP", SPEC, SPEC, (), 5, 5, 0, 2, tried, PAIRED),
        "robustness": RobustnessStudy(
            "c", "h", "AP", 0, ("q",), 50, ("typos",), (PipelineRobustness(SPEC, (effect,)),)
        ),
        "rag": RagStudy("c", "h", 5, 0, "words", 9, 9, (contexts,)),
        "cost": CostStudy(CostTerms(), (cost,)),
    }


@pytest.mark.parametrize("kind", list(every()))
def test_every_form_holds_the_same_values(kind: str) -> None:
    table = study_table(every()[kind])
    files = {suffix: write(table) for suffix, write in TABLE_FILES.items()}
    assert files == {suffix: write(table) for suffix, write in TABLE_FILES.items()}
    rows = list(csv.DictReader(io.StringIO(files[".csv"].decode())))
    objects = json.loads(files[".json"])
    kept = pyarrow.parquet.read_table(io.BytesIO(files[".parquet"])).to_pylist()
    assert len(rows) == len(objects) == len(kept) == len(table.rows) > 0
    for row, values, one in zip(rows, table.rows, kept, strict=True):
        assert list(row) == list(one) == list(table.columns)
        for name, value in values.items():
            if isinstance(value, float):
                assert float(row[name]) == value
            assert one[name] in (value, None if value is None else str(value))
    markdown, latex = files[".md"].decode(), files[".tex"].decode()
    assert markdown.count("\n|") >= len(rows)
    assert latex.count(r"\\") == len(rows) + 1


def test_figures_are_those_of_the_study() -> None:
    depth = every()["depth"]
    assert isinstance(depth, DepthStudy)
    rows = study_table(depth).rows
    points = [point for curve in depth.curves for point in curve.points]
    assert [row["RR@10"] for row in rows] == [point.value for point in points]
    assert [row["p95_s"] for row in rows] == [point.p95 for point in points]
    (row,) = study_table(every()["robustness"]).rows
    assert (row["AP_difference"], row["AP_p"]) == (PAIRED.difference, PAIRED.p)
    assert row["tau"] is None
    (row,) = study_table(every()["cost"]).rows
    assert row["usd_per_1000"] is None
    assert "price of an hour" in str(row["unknown"])


def test_several_studies_of_a_kind_stand_below_each_other() -> None:
    load = every()["load"]
    assert len(study_table(load, load).rows) == 2 * len(study_table(load).rows)


def test_no_cell_of_a_csv_file_is_a_formula() -> None:
    text = TABLE_FILES[".csv"](study_table(every()["cost"])).decode()
    assert "\n=cmd" not in text
