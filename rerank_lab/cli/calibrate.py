"""`rerank-lab calibrate`: what a pipeline's score is worth, by judgments."""

from __future__ import annotations

import argparse

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import judged_collection, print_basis
from rerank_lab.evaluation.calibration import threshold_for
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import calibrate as calibrations
from rerank_lab.services.calibrate import CalibrationRequest
from rerank_lab.services.cost_estimates import CANDIDATES
from rerank_lab.views.calibration import CalibrationView, view


def calibrate(arguments: argparse.Namespace, output: Output) -> int:
    """Fit and test both curves; print the better one, or the one asked for, as a stage."""
    engine = default_engine()
    corpus = judged_collection(arguments)
    ctx = job_context(arguments, output, engine)
    request = CalibrationRequest(
        Pipeline(arguments.pipeline).spec,
        grade=arguments.grade,
        limit=arguments.limit,
        folds=arguments.folds,
        seed=arguments.seed,
    )
    calibrations.check(request, corpus)
    note_cost_estimates(calibrations.cost_estimates(request, corpus, CANDIDATES, engine), output)
    calibration = calibrations.run(request, corpus, ctx, engine)
    result_view = view(calibration, arguments.method, arguments.precision)
    if output.as_json:
        cut = threshold_for(result_view.fitted, arguments.precision)
        output.json(
            calibration.to_json()
            | {
                "spec": str(result_view.spec),
                "precision": arguments.precision,
                "threshold": cut.threshold if cut else None,
                "threshold_spec": str(result_view.cut_spec) if result_view.cut_spec else None,
                "threshold_figures": cut.to_json() if cut else None,
                "covered": list(result_view.fitted.covered),
                "advised": str(result_view.advised),
                "answer": result_view.answer,
                "threshold_answer": result_view.cut_answer,
                "judgments": corpus.basis.to_json(),
            }
        )
        return 0
    print_basis(corpus.basis, output)
    _print(result_view, output)
    return 0


def _print(result_view: CalibrationView, output: Output) -> None:
    for line in (result_view.answer, result_view.cut_answer, result_view.ground):
        output.line(line)
    output.line()
    heads = ["curve", "Brier", "log loss", "ECE"]
    output.table([heads, *(list(row) for row in result_view.rows)], right=range(1, 4))
    output.line()
    output.line(str(result_view.advised))
