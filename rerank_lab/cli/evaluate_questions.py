"""`rerank-lab evaluate --by-tag` and `--bounds`: what Evaluate answers below its results."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rerank_lab.cli.output import Output, number
from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.by_tag import (
    ByTag,
    WeightedMean,
    by_tag,
    column_weights,
    groups_of,
    weighted_means,
)
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.query_tags import TagGroup
from rerank_lab.evaluation.unjudged import FlipRisk, UnjudgedBounds, flip_risk, unjudged_bounds
from rerank_lab.views import by_tag as tag_views
from rerank_lab.views import unjudged as unjudged_views
from rerank_lab.views.labels import numbered

ALL_GROUPS = "all"
COLUMN = "column"
"""In place of shares: the weights that the queries bring along."""
_LISTED = 10
"""So many deciding documents are printed; the JSON has all of them."""


def questions_json(done: Evaluation, arguments: argparse.Namespace) -> dict[str, Any]:
    """`by_tag` and `bounds` of the JSON of an evaluation, where they are asked for."""
    asked: dict[str, Any] = {}
    if arguments.by_tag:
        results = _by_tag(done, arguments.by_tag, done.design.measures)
        asked["by_tag"] = [result.to_json() for result in results]
    if arguments.tag_weights:
        means = _weighted(done, arguments)
        asked["weighted"] = [msgspec.to_builtins(one) for one in means]
    if arguments.bounds:
        bounds, risk = _bounds(done)
        asked["bounds"] = None if bounds is None else bounds.to_json()
        asked["deciding_documents"] = None if risk is None else risk.to_json()
    return asked


def print_questions(done: Evaluation, arguments: argparse.Namespace, output: Output) -> None:
    """The same for people, where it is asked for."""
    labels = numbered(done.design.pipelines)
    if arguments.by_tag:
        results = _by_tag(done, arguments.by_tag)
        for result in results:
            _print_tags(result, labels, output)
        if not results:
            output.line()
            output.line("nothing groups these queries: a column that repeats would")
    if arguments.tag_weights:
        means = _weighted(done, arguments)
        output.line()
        output.line(tag_views.effective_words(means))
        if means:
            baseline = done.compared_by()[1]
            _print(tag_views.weighted_table(means, labels, baseline), output)
    if arguments.bounds:
        _print_bounds(done, labels, output)


def _by_tag(done: Evaluation, group: str, measures: Sequence[str] = ()) -> list[ByTag]:
    """Of one group, or of all. Raises InvalidInput for a group that the queries do not have."""
    names = [one.name for one in groups_of(done)] if group == ALL_GROUPS else [group]
    return [by_tag(done, name, measures=measures) for name in names]


def _weighted(done: Evaluation, arguments: argparse.Namespace) -> tuple[WeightedMean, ...]:
    """Means by the shares of tags, or by the column weight.

    Raises:
        InvalidInput: no group is named, or it has no such tag, or a share is no number.
    """
    if arguments.tag_weights == [COLUMN]:
        weights = column_weights(done)
        if not weights:
            raise InvalidInput(
                "--tag-weights column: no query has a number in its column weight.",
                hint="Give shares of tags instead, such as head=50 tail=50.",
            )
        return weighted_means(done, weights)
    groups = {one.name: one for one in groups_of(done)}
    group = groups.get(arguments.by_tag)
    if group is None:
        raise InvalidInput(
            "--tag-weights needs the group whose tags are weighed.",
            hint=f"Give --by-tag with one of {', '.join(groups) or 'none: nothing groups these'}.",
        )
    shares = dict(_share(text, group) for text in arguments.tag_weights)
    return weighted_means(done, group.weights(shares))


def _share(text: str, group: TagGroup) -> tuple[str, float]:
    """`head=50`: a tag of the group, and what it counts."""
    tag, _, number_text = text.rpartition("=")
    try:
        share = float(number_text)
    except ValueError:
        share = -1.0
    if tag not in group.tags or not 0 <= share < math.inf:
        raise InvalidInput(
            f"--tag-weights {text}: not a tag of {group.name} and its share.",
            hint=f"Write TAG=SHARE with shares of 0 or more; tags: {', '.join(group.tags)}.",
        )
    return tag, share


def _bounds(done: Evaluation) -> tuple[UnjudgedBounds | None, FlipRisk | None]:
    bounds = unjudged_bounds(done)
    challenger = "" if bounds is None else unjudged_views.default_challenger(bounds)
    if bounds is None or not challenger:
        return bounds, None
    return bounds, flip_risk(done, bounds.winner, challenger)


def _print_tags(result: ByTag, labels: Mapping[str, str], output: Output) -> None:
    output.line()
    output.line(tag_views.tag_sentence(result, labels))
    table = tag_views.tag_table(result, labels)
    _print(table.columns, output)
    if words := tag_views.few_words(result):
        output.line(words)


def _print_bounds(done: Evaluation, labels: Mapping[str, str], output: Output) -> None:
    bounds, risk = _bounds(done)
    output.line()
    if bounds is None:
        output.line("no judged query was answered by all pipelines: nothing to bound")
        return
    output.line(unjudged_views.unjudged_sentence(bounds, labels))
    if not bounds.unjudged:
        return
    output.line(unjudged_views.unjudged_line(bounds))
    _print(unjudged_views.bounds_table(bounds, labels), output)
    if risk is None:
        return
    output.line(unjudged_views.risk_sentence(risk, labels))
    for one in risk.documents[:_LISTED]:
        output.line(f"  query {one.query_id}, document {one.doc_id}: lead - {one.effect:.4f}")


def _print(columns: Mapping[str, Sequence[object]], output: Output) -> None:
    """Columns as an aligned table; numbers to the right."""
    rows = [[_cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
    right = [
        place
        for place, values in enumerate(columns.values())
        if all(isinstance(value, int | float) for value in values)
    ]
    output.table([list(columns), *rows], right=right)


def _cell(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
