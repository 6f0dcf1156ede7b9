"""Gates and drift in words: lines for the terminal, a Markdown summary, and JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from rerank_lab.decision.drift import Drift, PipelineDrift
from rerank_lab.decision.gate_checks import CheckedGate, GateResult
from rerank_lab.decision.report.markdown import markdown_table, markdown_text
from rerank_lab.services.experiment_runs import ExperimentRun
from rerank_lab.views.evaluate_tables import results_markdown
from rerank_lab.views.formatting import counted

_SHOWN = 5
_SIGNS = {
    GateResult.PASSED: "✅ passed",
    GateResult.FAILED: "❌ failed",
    GateResult.UNDECIDED: "⚠️ cannot be decided",
}


def gate_verdict(gates: Sequence[CheckedGate], *, allow_undecided: bool = False) -> str:
    """What became of all gates, in one sentence."""
    if not gates:
        return "No gate is stated."
    failed = sum(one.result is GateResult.FAILED for one in gates)
    undecided = sum(one.result is GateResult.UNDECIDED for one in gates)
    if not failed and not undecided:
        return (
            f"All {counted(len(gates), 'gate')} passed." if len(gates) > 1 else "The gate passed."
        )
    parts = [f"{failed:,} of {counted(len(gates), 'gate')} failed"] if failed else []
    if undecided:
        of = "" if failed else f" of {counted(len(gates), 'gate')}"
        counts = "is allowed here" if allow_undecided else "counts as failed"
        parts.append(f"{undecided:,}{of} cannot be decided, which {counts}")
    return f"{'; '.join(parts)}."


def drift_lines(drift: Drift | None) -> tuple[str, ...]:
    """What changed since the last run, a sentence each."""
    if drift is None:
        return ("There is no earlier run of this file to compare with.",)
    since = f"the run of {drift.since}"
    versions = [f"{name} {old} → {new}" for name, (old, new) in drift.versions.items()]
    of_packages = (f"Packages changed: {', '.join(versions)}.",) if versions else ()
    if not drift.any:
        return (f"Nothing moved since {since}.", *of_packages)
    lines = [f"Changed since {since}:"]
    if drift.corpus:
        lines.append("The documents of the corpus are others.")
    if drift.queries_added or drift.queries_removed:
        lines.append(
            f"{counted(len(drift.queries_added), 'query', 'queries')} new or changed, "
            f"{len(drift.queries_removed):,} gone or changed."
        )
    if drift.judgments:
        lines.append(f"{counted(drift.judgments, 'judgment')} new, gone or changed.")
    lines += [f"{name} is new." for name in drift.added]
    lines += [f"{name} is gone." for name in drift.removed]
    lines += [line for one in drift.pipelines if one.moved for line in _moved(one)]
    return (*lines, *of_packages)


def _moved(one: PipelineDrift) -> list[str]:
    lines = []
    if one.spec_before:
        lines.append(f"{one.name} was {one.spec_before}.")
    if one.models_before != one.models_now:
        before, now = (", ".join(m) or "none named" for m in (one.models_before, one.models_now))
        lines.append(f"{one.name}: the provider now serves {now} (before: {before}).")
    if one.lost:
        lines.append(
            f"{one.name}: {counted(len(one.lost), 'query', 'queries')} answered before and not "
            f"now: {_some(one.lost)}."
        )
    if one.reordered:
        lines.append(
            f"{one.name}: another order for {len(one.reordered):,} of "
            f"{counted(one.queries, 'query', 'queries')}: {_some(one.reordered)}."
        )
    elif one.rescored:
        lines.append(f"{one.name}: the same order.")
    if (one.reordered or one.rescored) and one.largest:
        lines.append(f"{one.name}: a score changed by up to {one.largest:.4g}.")
    lines += [
        f"{one.name}: {measure} {_number(before)} → {_number(now)}."
        for measure, (before, now) in one.measures.items()
    ]
    return lines


def summary_markdown(run: ExperimentRun, *, allow_undecided: bool = False) -> str:
    """Verdict, gates, results and drift, as GitHub shows them beside a build."""
    evaluation, terms = run.evaluation, run.terms
    title = f"Rerank Lab: {evaluation.design.corpus}, {_queries(run)}"
    verdict = gate_verdict(run.gates, allow_undecided=allow_undecided)
    parts = [f"## {markdown_text(title)}", f"**{markdown_text(verdict)}**"]
    if run.gates:
        rows = [["Gate", "Pipeline", "Result", "Measured"]]
        rows += [
            [
                markdown_text(one.gate.line),
                markdown_text(one.name),
                _SIGNS[one.result],
                markdown_text(one.sentence),
            ]
            for one in run.gates
        ]
        parts.append(markdown_table(rows, (False, False, False, False)))
    baseline = terms.pipelines.get(terms.baseline, "")
    table = results_markdown(evaluation, terms.measures[0], baseline, terms.names)
    parts.append(table.strip())
    legend = [
        f"- {markdown_text(name)}: {markdown_text(spec)}"
        for name, spec in terms.pipelines.items()
        if name != spec
    ]
    parts += ["\n".join(legend)] if legend else []
    parts.append("### Since the last run")
    parts.append("\n".join(f"- {markdown_text(line)}" for line in drift_lines(run.drift)))
    return "\n\n".join(parts) + "\n"


def junit_xml(run: ExperimentRun, *, allow_undecided: bool = False) -> bytes:
    """The gates as JUnit XML: a test suite a pipeline, a test case a gate.

    A gate that cannot be decided is a failure of that type, or skipped where it is allowed.
    """
    by_pipeline: dict[str, list[CheckedGate]] = {}
    for one in run.gates:
        by_pipeline.setdefault(one.name, []).append(one)
    suites = [_suite(name, gates, run, allow_undecided) for name, gates in by_pipeline.items()]
    root = ElementTree.Element("testsuites", {"name": "rerank-lab gates"})
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", "0")
    root.extend(suites)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _suite(
    name: str, gates: Sequence[CheckedGate], run: ExperimentRun, allow_undecided: bool
) -> ElementTree.Element:
    undecided = sum(one.result is GateResult.UNDECIDED for one in gates)
    failed = sum(one.result is GateResult.FAILED for one in gates)
    design = run.evaluation.design
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": _xml(name),
            "tests": str(len(gates)),
            "failures": str(failed if allow_undecided else failed + undecided),
            "errors": "0",
            "skipped": str(undecided if allow_undecided else 0),
            "time": "0",
            "timestamp": design.created_at[:19],
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (
        ("experiment", design.id),
        ("corpus", design.corpus),
        ("pipeline", gates[0].pipeline),
    ):
        ElementTree.SubElement(properties, "property", {"name": key, "value": _xml(value)})
    for one in gates:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": _xml(name), "name": _xml(one.gate.line), "time": "0"}
        )
        sentence = _xml(one.sentence)
        if one.result is GateResult.PASSED:
            ElementTree.SubElement(case, "system-out").text = sentence
        elif one.result is GateResult.UNDECIDED and allow_undecided:
            ElementTree.SubElement(case, "skipped", {"message": sentence})
        else:
            failure = {"type": one.result.value, "message": sentence}
            ElementTree.SubElement(case, "failure", failure).text = sentence
    return suite


def _xml(text: str) -> str:
    """Text without what XML 1.0 cannot hold."""
    return "".join(
        letter
        if letter in "\t\n" or " " <= letter <= "\ud7ff" or "\ue000" <= letter <= "\ufffd"
        or letter >= "\U00010000"
        else " "
        for letter in text
    )  # fmt: skip


def _queries(run: ExperimentRun) -> str:
    return counted(len(run.evaluation.design.queries), "query", "queries")


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
