"""Where the numbers come from: what was evaluated, when, by which command, and how to check it."""

from __future__ import annotations

from rerank_lab.decision.report.document import (
    Block,
    CodeBlock,
    Paragraph,
    ReportSection,
    ReportTable,
    Verbatim,
    Words,
)
from rerank_lab.views.judgment_basis import basis_sentence
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.numbers import count
from rerank_lab.views.reproduce import evaluate_command


def origin(context: ReportContext) -> ReportSection:
    """Ids, hashes, pipelines in full, the command, and how to recompute."""
    evaluation, design = context.evaluation, context.evaluation.design
    rows: list[tuple[Words, Words]] = [
        (("Experiment",), (Verbatim(evaluation.id, code=True),)),
        (("Begun",), (Verbatim(f"{design.created_at[:16].replace('T', ' ')} UTC"),)),
        (("Corpus",), (Verbatim(design.corpus),)),
        (("SHA-256 of its documents",), (Verbatim(design.corpus_hash, code=True),)),
        (("Queries",), (count(len(design.queries), "count", "queries"),)),
        (("Judgments",), (Verbatim(basis_sentence(design.basis)),)),
    ]
    rows += [(context.lettered(spec), (Verbatim(spec, code=True),)) for spec in design.pipelines]
    rows += _environment_rows(context)
    table = ReportTable((("",), ("",)), tuple(rows), (False, False))
    blocks: list[Block] = [table, *_command(context)]
    blocks += [
        Paragraph(("To check every number of this report from exported files:",)),
        CodeBlock(
            f"rerank-lab report {evaluation.id} -o report.html --files files\n"
            "python docs/recompute_report.py report.html files"
        ),
    ]
    return ReportSection("origin", "Where this comes from", tuple(blocks))


def _environment_rows(context: ReportContext) -> list[tuple[Words, Words]]:
    """Where the answers came from: machine, libraries, models; or that nobody knows."""
    environments = context.evidence.environments
    if not environments:
        return [(("Environment",), ("not recorded with this experiment",))]
    rows: list[tuple[Words, Words]] = []
    for one in environments:
        machine = f"{one.system}, {one.processors} processors, Python {one.python}"
        rows.append((("Machine",), (Verbatim(machine),)))
        libraries = ", ".join(f"{name} {number}" for name, number in one.libraries.items())
        rows.append((("Libraries",), (Verbatim(libraries),)))
        for name, state in one.components.items():
            weights = f", weights {state.weights}" if state.weights else ""
            text = f"{state.fingerprint or 'could not be made here'}{weights}"
            rows.append((("Fingerprint of ", Verbatim(name)), (Verbatim(text, code=True),)))
        for model, served in one.served.items():
            rows.append((("Answers of ", Verbatim(model)), (Verbatim(", ".join(served)),)))
    return rows


def _command(context: ReportContext) -> list[Block]:
    """The command that evaluates the same again, or why there is none."""
    evidence = context.evidence
    if evidence.corpus is None:
        words: Words = (
            "No command is known that gives these results again: ",
            Verbatim(evidence.corpus_problem),
        )
        return [Paragraph(words)]
    command = evaluate_command(
        context.evaluation.design, evidence.corpus, labelled=evidence.labelled
    )
    if not command:
        return [
            Paragraph(
                (
                    "No command is known that gives these results again: the queries or judgments "
                    "came from files of their own.",
                )
            )
        ]
    return [Paragraph(("To evaluate again:",)), CodeBlock(command)]
