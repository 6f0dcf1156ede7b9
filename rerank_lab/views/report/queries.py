"""Queries: measures by tag, and those where a pipeline gains or loses most, with documents."""

from __future__ import annotations

from rerank_lab.core.errors import LabError
from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Paragraph,
    ReportSection,
    ReportTable,
    Strong,
    Verbatim,
    Words,
)
from rerank_lab.evaluation.by_tag import ByTag, Crossover, TagResult, by_tag, groups_of
from rerank_lab.evaluation.statistics import differences
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.numbers import (
    ABSENT,
    count,
    interval_words,
    measure_words,
    number,
    p_value,
)
from rerank_lab.views.results_table import p_words, signed
from rerank_lab.views.text import shorten

_EXAMPLES = 3
"""So many gains and so many losses are shown."""
_TOP = 3
"""So many documents of each ranking are shown."""
_TEXT_CHARS = 240


def tags(context: ReportContext) -> ReportSection:
    """The primary measure by each group of the queries."""
    evaluation, evidence = context.evaluation, context.evidence
    title = "By kind of query"
    groups = groups_of(evaluation) if evaluation.comparable else ()
    if not groups:
        words: Words = ("Nothing groups these queries: a column of the query file would.",)
        return ReportSection("tags", title, (Paragraph(words),))
    blocks: list[Block] = []
    for group in groups:
        try:
            results = by_tag(evaluation, group.name, evidence.primary, evidence.baseline)
        except LabError:
            continue
        blocks += _group(context, results)
    blocks.append(
        Paragraph(
            (
                "Differences are with the baseline, p-values corrected over all kinds of a group. "
                "A kind of few queries says hardly anything and is marked.",
            ),
            "note",
        )
    )
    return ReportSection("tags", title, tuple(blocks))


def _group(context: ReportContext, results: ByTag) -> list[Block]:
    headings: tuple[Words, ...] = (
        (Verbatim(results.group),), ("queries",), ("Pipeline",), (Verbatim(results.measure),),
        ("difference",), ("interval",), ("p, Holm-corrected",),
    )  # fmt: skip
    single = [tag.tag for tag in results.tags if tag.queries == 1]
    several = [tag for tag in results.tags if tag.queries > 1]
    rows = [row for tag in several for row in _tag_rows(context, results.group, tag)]
    table = ReportTable(headings, tuple(rows), (False, True, False, True, True, True, True))
    crossings = tuple(_crossing(context, results.group, one) for one in results.crossovers)
    blocks: list[Block] = [table] if rows else []
    if single:
        names: Words = ("Of one query each, left out: ", Verbatim(", ".join(single)), ".")
        blocks.append(Paragraph(names, "note"))
    return [*blocks, *([Bullets(crossings)] if crossings else [])]


def _tag_rows(context: ReportContext, group: str, tag: TagResult) -> list[tuple[Words, ...]]:
    comparisons = {one.b: one for one in tag.comparisons}
    rows: list[tuple[Words, ...]] = []
    for place, mean in enumerate(tag.means):
        index = context.places[mean.pipeline]
        of = ("tag", group, tag.tag, index)
        one = comparisons.get(mean.pipeline)
        few = "" if tag.enough else " (few)"
        rows.append(
            (
                (Verbatim(tag.tag),) if place == 0 else ("",),
                (count(tag.queries, "tag_size", group, tag.tag), few) if place == 0 else ("",),
                context.lettered(mean.pipeline),
                measure_words(mean.mean, *of, "mean"),
                ABSENT
                if one is None
                else (number(signed(one.difference), one.difference, *of, "difference"),),
                () if one is None else interval_words(one.low, one.high, *of),
                () if one is None else p_value(one.p_holm, *of, "p_holm"),
            )
        )
    return rows


def _crossing(context: ReportContext, group: str, one: Crossover) -> Words:
    """`a beats b on short by 0.10 and loses on long by 0.08`, with p-values."""
    places = (context.places[one.a], context.places[one.b])
    of = ("crossover", group, *places, one.ahead, one.behind)
    shown = "" if one.shown() else " This may be chance."
    return (
        context.name(one.a), " against ", context.name(one.b), ": ",
        number(signed(one.lead), one.lead, *of, "lead"), " on ", Verbatim(one.ahead),
        " (", number(p_words(one.p_lead), one.p_lead, *of, "p_lead"), "), ",
        number(signed(one.deficit), one.deficit, *of, "deficit"), " on ", Verbatim(one.behind),
        " (", number(p_words(one.p_deficit), one.p_deficit, *of, "p_deficit"), f").{shown}",
    )  # fmt: skip


def examples(context: ReportContext) -> ReportSection:
    """The queries where the pipeline in question gains and loses most against another."""
    title = "Gains and losses"
    pair = _pair(context)
    if pair is None:
        words: Words = ("There are no two pipelines to compare query by query.",)
        return ReportSection("examples", title, (Paragraph(words),))
    reference, subject = pair
    evaluation, primary = context.evaluation, context.evidence.primary
    deltas = differences(
        evaluation.values(reference, primary, common=True),
        evaluation.values(subject, primary, common=True),
    )
    order = sorted(deltas, key=lambda query_id: -deltas[query_id])
    gains = [query_id for query_id in order[:_EXAMPLES] if deltas[query_id] > 0]
    losses = [query_id for query_id in order[::-1][:_EXAMPLES] if deltas[query_id] < 0]
    lead: Words = (
        context.name(subject), " against ", context.name(reference),
        ", the queries that differ most in ", Verbatim(primary), ".",
    )  # fmt: skip
    blocks: list[Block] = [Paragraph(lead)]
    if context.evidence.corpus is None:
        problem = f"Documents are shown by their ids: {context.evidence.corpus_problem}"
        blocks.append(Paragraph((Verbatim(problem),), "note"))
    for heading, query_ids in (("Largest gains", gains), ("Largest losses", losses)):
        blocks.append(Paragraph((f"{heading}:" if query_ids else f"{heading}: none.",)))
        for query_id in query_ids:
            blocks += _example(context, query_id, reference, subject)
    return ReportSection("examples", title, tuple(blocks))


def _pair(context: ReportContext) -> tuple[str, str] | None:
    """The reference and the pipeline in question: the one to take, else the best one."""
    evaluation, evidence = context.evaluation, context.evidence
    means = {
        spec: mean
        for spec, of in evaluation.common_measures.items()
        if (mean := of.get(evidence.primary)) is not None
    }
    subject = evidence.decision.pipeline or max(means, key=lambda spec: means[spec], default="")
    others = [spec for spec in sorted(means, key=lambda spec: -means[spec]) if spec != subject]
    if subject not in means or not others:
        return None
    return (evidence.baseline if evidence.baseline in others else others[0]), subject


def _example(context: ReportContext, query_id: str, reference: str, subject: str) -> list[Block]:
    evaluation, primary = context.evaluation, context.evidence.primary
    text = next(query.text for query in evaluation.design.queries if query.id == query_id)
    of_query = evaluation.per_query[query_id]
    values = [
        number(f"{of_query[spec][primary]:.3f}", of_query[spec][primary],
               "value", context.places[spec], primary, query_id)
        for spec in (reference, subject)
    ]  # fmt: skip
    summary: Words = (
        Verbatim(text), " (", Verbatim(primary), " ", values[0], " to ", values[1], ")",
    )  # fmt: skip
    headings: tuple[Words, ...] = (("rank",), (context.name(reference),), (context.name(subject),))
    rows = [
        (
            (Verbatim(str(place + 1)),),
            _document(context, query_id, reference, place),
            _document(context, query_id, subject, place),
        )
        for place in range(_TOP)
    ]
    return [Paragraph(summary), ReportTable(headings, tuple(rows), (True, False, False), even=True)]


def _document(context: ReportContext, query_id: str, spec: str, place: int) -> Words:
    """A document of a ranking: its grade, its id, and the beginning of its text."""
    cell = context.evaluation.cells[query_id, spec]
    doc_ids = cell.ranking.doc_ids if cell.ranking is not None else ()
    if place >= len(doc_ids):
        return ABSENT
    doc_id = doc_ids[place]
    grade = context.evaluation.design.qrels[query_id].get(doc_id)
    judged: Words = ("unjudged",)
    if grade is not None:
        judged = ("grade ", count(grade, "grade", query_id, doc_id))
    return (*judged, " · ", Strong(Verbatim(doc_id)), " ", Verbatim(_text(context, doc_id)))


def _text(context: ReportContext, doc_id: str) -> str:
    """The beginning of a document, "" where it is not here."""
    corpus = context.evidence.corpus
    if corpus is None:
        return ""
    parts = [corpus.by_id[doc_id]] if doc_id in corpus.by_id else []
    parts = parts or list(corpus.passages_of.get(doc_id, ()))[:1]
    if not parts:
        return ""
    title = f"{parts[0].title}: " if parts[0].title else ""
    return shorten(f"{title}{parts[0].text}", _TEXT_CHARS)
