"""An evaluation by tags of its queries: the sentence, the table, the weighted means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.core.traffic import BANDS
from rerank_lab.evaluation.by_tag import ENOUGH, ByTag, Crossover, TagResult, WeightedMean
from rerank_lab.evaluation.query_tags import TRAFFIC, TagGroup
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.views.evaluate import ALPHA, interval
from rerank_lab.views.formatting import counted
from rerank_lab.views.results_table import p_words, signed

FEW = "few"
_NAMED_TAGS = 6


@dataclass(frozen=True, slots=True)
class TagTable:
    """Columns of the table by tag, text and numbers ready to be drawn."""

    columns: Mapping[str, list[object]]
    measures: tuple[str, ...]
    """Names of the columns that hold a mean."""
    differences: tuple[str, ...]
    """Names of the columns that hold a difference to the baseline, in words with its interval."""


def tag_sentence(result: ByTag, labels: Mapping[str, str]) -> str:
    """Whether pipelines change places between tags, and how much the data can say."""
    enough = [tag for tag in result.tags if tag.enough]
    if not enough:
        return (
            f"No tag of {result.group} has {ENOUGH} queries: none can say which pipeline is better."
        )
    if len(enough[0].means) == 1:
        return _alone(enough, labels)
    shown = [one for one in result.crossovers if one.shown()]
    if shown:
        return f"By {result.group}, pipelines change places: {_crossing(shown[0], labels)}."
    if result.crossovers:
        return (
            f"By {result.group}, no change of places is more than chance. The largest: "
            f"{_crossing(result.crossovers[0], labels)}."
        )
    leaders = {max(tag.means, key=lambda one: one.mean).pipeline for tag in enough if tag.means}
    if len(leaders) == 1:
        tags = "both tags" if len(enough) == 2 else f"all {counted(len(enough), 'tag')}"
        leader = labels[leaders.pop()]
        return f"{leader} has the best mean on {tags} of {result.group} with enough queries."
    return f"By {result.group}, no two pipelines change places."


def _alone(tags: Sequence[TagResult], labels: Mapping[str, str]) -> str:
    """Where one pipeline by itself does best and worst."""
    means = {tag.tag: tag.means[0].mean for tag in tags}
    best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    pipeline = labels[tags[0].means[0].pipeline]
    return (
        f"{pipeline} does best on {best} ({means[best]:.2f}) and worst on {worst} "
        f"({means[worst]:.2f}), among tags with enough queries."
    )


def crossover_lines(result: ByTag, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The crossovers that the sentence leaves out, each with whether it is more than chance."""
    return tuple(
        f"{_crossing(one, labels)} ({'shown' if one.shown() else 'may be chance'})"
        for one in result.crossovers[1:]
    )


def few_words(result: ByTag) -> str:
    """Which tags have too few queries, and what is left untagged; "" where neither is."""
    few = [tag for tag in result.tags if not tag.enough]
    words = []
    if few:
        names = ", ".join(f"{tag.tag} ({tag.queries:,})" for tag in few[:_NAMED_TAGS])
        names += f" and {len(few) - _NAMED_TAGS} more" if len(few) > _NAMED_TAGS else ""
        words.append(f"Fewer than {ENOUGH} queries say hardly anything: {names}.")
    if result.untagged:
        words.append(f"{counted(result.untagged, 'query has', 'queries have')} no tag of it.")
    return " ".join(words)


def tag_table(result: ByTag, labels: Mapping[str, str]) -> TagTable:
    """A row a tag: queries, each pipeline's mean, each difference to the baseline."""
    pipelines = [one.pipeline for one in result.tags[0].means] if result.tags else []
    columns: dict[str, list[object]] = {
        result.group.capitalize(): [tag.tag for tag in result.tags],
        "Queries": [tag.queries for tag in result.tags],
    }
    for place, spec in enumerate(pipelines):
        columns[labels[spec]] = [tag.means[place].mean for tag in result.tags]
    differences = []
    for spec in (spec for spec in pipelines if spec != result.baseline):
        name = f"± {labels[spec]}"
        columns[name] = [_difference(tag, spec) for tag in result.tags]
        differences.append(name)
    measures = tuple(labels[spec] for spec in pipelines)
    return TagTable(columns, measures, tuple(differences))


def default_shares(group: TagGroup) -> dict[str, float]:
    """What each tag counts at first, in per cent: bands of traffic alike, others by their size."""
    if group.name == TRAFFIC:
        return {tag: round(100 / len(group.tags), 1) for tag in group.tags if tag in BANDS}
    total = sum(map(len, group.tags.values()))
    return {tag: round(100 * len(ids) / total, 1) for tag, ids in group.tags.items()}


def weighted_table(
    means: Sequence[WeightedMean], labels: Mapping[str, str], baseline: str
) -> dict[str, list[object]]:
    """A row a pipeline: weighted mean, difference with interval, corrected p-value."""
    return {
        "Pipeline": [labels[one.pipeline] for one in means],
        "Weighted mean": [one.mean for one in means],
        "Against the baseline": [
            "baseline" if one.pipeline == baseline else _bounded(one.difference, one.low, one.high)
            for one in means
        ],
        "Holm p": ["" if one.p_holm is None else p_words(one.p_holm) for one in means],
    }


def effective_words(means: Sequence[WeightedMean]) -> str:
    """How many equally heavy queries say as much."""
    if not means:
        return "No query counts: give a tag a share above 0."
    one = means[0]
    return (
        f"{counted(one.queries, 'query counts', 'queries count')}; with these weights they say as "
        f"much as {one.effective:.0f} that count alike."
    )


def _crossing(one: Crossover, labels: Mapping[str, str]) -> str:
    return (
        f"{labels[one.a]} is ahead of {labels[one.b]} on {one.ahead} ({signed(one.lead)}) and "
        f"behind on {one.behind} ({signed(one.deficit)})"
    )


def _difference(tag: TagResult, spec: str) -> str:
    one = next((paired for paired in tag.comparisons if paired.b == spec), None)
    if one is None:
        return ""
    words = f"{signed(one.difference)} {interval(one)}".rstrip()
    return f"{words} · {FEW}" if not tag.enough else f"{words}{_mark(one)}"


def _mark(one: Paired) -> str:
    """` *` where the difference is more than chance after correction."""
    return " *" if one.p_holm is not None and one.p_holm < ALPHA else ""


def _bounded(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return signed(value)
    return f"{signed(value)} [{signed(low)}, {signed(high)}]"
