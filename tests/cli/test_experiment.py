"""`rerank-lab experiment`: gates as exit codes, JUnit, a Markdown summary, and drift."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from lxml import etree

from rerank_lab.cli import main
from tests.cli.conftest import Calls, fail_json, run_json

FILE = """\
corpus: my corpus
pipelines:
  plain: as-given
  sorted: as-given >> by-length
measures: [RR]
baseline: plain
gates:
  - {gate}
"""


SCHEMA = """\
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">
  <xs:complexType name="note"><xs:simpleContent><xs:extension base="xs:string">
    <xs:attribute name="type" type="xs:string"/><xs:attribute name="message" type="xs:string"/>
  </xs:extension></xs:simpleContent></xs:complexType>
  <xs:element name="testsuites"><xs:complexType><xs:sequence>
    <xs:element name="testsuite" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:element name="properties"><xs:complexType><xs:sequence>
        <xs:element name="property" maxOccurs="unbounded"><xs:complexType>
          <xs:attribute name="name" use="required"/><xs:attribute name="value" use="required"/>
        </xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
      <xs:element name="testcase" maxOccurs="unbounded"><xs:complexType><xs:choice>
        <xs:element name="skipped" type="note"/><xs:element name="failure" type="note"/>
        <xs:element name="system-out" type="xs:string"/></xs:choice>
        <xs:attribute name="name" use="required"/><xs:attribute name="classname" use="required"/>
        <xs:attribute name="time" type="xs:decimal"/></xs:complexType></xs:element></xs:sequence>
      <xs:attribute name="name" use="required"/>
      <xs:attribute name="tests" type="xs:int" use="required"/>
      <xs:attribute name="failures" type="xs:int"/><xs:attribute name="errors" type="xs:int"/>
      <xs:attribute name="skipped" type="xs:int"/><xs:attribute name="time" type="xs:decimal"/>
      <xs:attribute name="timestamp" type="xs:dateTime"/></xs:complexType></xs:element>
  </xs:sequence><xs:attribute name="name"/><xs:attribute name="tests" type="xs:int"/>
    <xs:attribute name="failures" type="xs:int"/><xs:attribute name="errors" type="xs:int"/>
    <xs:attribute name="time" type="xs:decimal"/></xs:complexType></xs:element>
</xs:schema>
"""
"""What readers of JUnit XML agree on, in the order that they want."""


def suite_of(junit: Path) -> Element:
    """The only suite of a file that the schema admits."""
    document = etree.parse(junit)
    etree.XMLSchema(etree.fromstring(SCHEMA)).assertValid(document)
    (suite,) = ElementTree.parse(junit).getroot()
    return suite


@pytest.fixture
def file(folder: Path, plugin: Calls) -> Path:
    return write(folder, "RR >= 0.7")


def write(folder: Path, gate: str) -> Path:
    path = folder.parent / "exp.yaml"
    path.write_text(FILE.format(gate=gate))
    return path


def test_a_gate_that_passes_is_exit_code_0_and_pipelines_go_by_their_names(
    capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    assert main(["experiment", "run", str(file)]) == 0
    out = capsys.readouterr().out
    assert "sorted  as-given >> by-length" in out
    assert "against plain, on the 2 queries that all answered" in out
    assert "passed: sorted: RR >= 0.7\n    RR is 0.7500 on 2 queries." in out
    assert "The gate passed." in out
    assert "There is no earlier run of this file" in out


@pytest.mark.parametrize(
    ("gate", "result", "allowed"),
    [("RR >= 0.8", "failed", 1), ("better than baseline", "cannot be decided", 0)],
)
def test_a_gate_that_fails_or_cannot_be_decided_is_exit_code_1(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls, gate: str, result: str,
    allowed: int,
) -> None:  # fmt: skip
    path, junit, summary = write(folder, gate), folder.parent / "j.xml", folder.parent / "s.md"
    summary.write_text("before\n")
    files = ["--junit", str(junit), "--markdown", str(summary)]

    assert main(["experiment", "run", str(path), *files]) == 1
    assert f"{result}: sorted: {gate}" in capsys.readouterr().out
    suite = suite_of(junit)
    assert (suite.get("name"), suite.get("failures")) == ("sorted", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == result
    text = summary.read_text()
    assert text.startswith("before\n## Rerank Lab: my corpus, 2 queries")
    assert f"{result} |" in text
    assert "| a | plain |" in text
    assert "- sorted: as-given &gt;&gt; by-length" in text

    assert main(["experiment", "gate", str(path), "--allow-undecided", *files]) == allowed
    suite = suite_of(junit)
    assert (suite.get("failures"), suite.get("skipped")) == (str(allowed), str(1 - allowed))


def test_json_names_gates_and_drift(
    capsys: pytest.CaptureFixture[str], file: Path, plugin: Calls
) -> None:
    first = run_json(capsys, "experiment", "run", str(file))
    assert first["names"] == {"plain": "as-given", "sorted": "as-given >> by-length"}
    assert [(one["name"], one["gate"], one["result"]) for one in first["gates"]] == [
        ("sorted", "RR >= 0.7", "passed")
    ]
    assert first["drift"] is None

    plugin.clear()
    again = run_json(capsys, "experiment", "run", str(file))
    assert plugin == []
    assert [one["reordered"] for one in again["drift"]["pipelines"]] == [[], []]
    run_json(capsys, "experiment", "run", str(file), "--no-cache")
    assert ("by-length", 3) in plugin


def test_a_run_against_the_last_one_tells_what_moved(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path
) -> None:
    last = tmp_path / "last.json"
    main(["experiment", "run", str(file), "--last", str(last)])
    kept = json.loads(last.read_text())
    kept["pipelines"]["sorted"]["rankings"]["q1"]["doc_ids"].reverse()
    last.write_text(json.dumps(kept))
    capsys.readouterr()

    main(["experiment", "run", str(file), "--last", str(last)])
    assert "sorted: another order for 1 of 2 queries: q1." in capsys.readouterr().out
    last.write_text("{}")
    error = fail_json(capsys, "experiment", "run", str(file), "--last", str(last))
    assert "not what an earlier run has written" in error["message"]


def test_kept_experiments_are_listed_shown_and_gated_without_a_run(
    capsys: pytest.CaptureFixture[str], file: Path, plugin: Calls
) -> None:
    experiment_id = run_json(capsys, "experiment", "run", str(file))["id"]
    plugin.clear()

    (entry,) = run_json(capsys, "experiment", "list")
    assert (entry["id"], entry["cells"], entry["size"]) == (experiment_id, 4, 4)
    shown = run_json(capsys, "experiment", "show", experiment_id[:6])
    assert shown["names"]["sorted"] == "as-given >> by-length"
    assert main(["experiment", "gate", experiment_id]) == 0
    assert main(["experiment", "gate", experiment_id, "--gate", "nDCG@1 > 0.9"]) == 1
    assert "failed: sorted: nDCG@1 > 0.9" in capsys.readouterr().out
    assert main(["experiment", "gate", experiment_id, "--seed", "7"]) == 0
    assert main(["experiment", "gate", experiment_id, "--seed", "-1"]) == 2
    assert "no whole number from 0 to" in capsys.readouterr().err
    assert plugin == []
    error = fail_json(capsys, "experiment", "show", "ffff")
    assert "no experiment 'ffff'" in error["message"]


def test_two_experiments_are_compared_on_the_same_queries(
    capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    first = run_json(capsys, "experiment", "run", str(file))["id"]
    text = file.read_text().replace(">> by-length", ">> identity")
    file.write_text(text.replace("sorted", "as it was"))
    second = run_json(capsys, "experiment", "run", str(file))["id"]

    across = run_json(capsys, "experiment", "compare", first, second, "--baseline", "sorted")
    assert (across["baseline_id"], across["other_id"]) == (first, second)
    assert across["baseline"] == "as-given >> by-length"
    assert [(row["queries"], row["difference"]) for row in across["rows"]] == [(2, 0.0)] * 2
    assert main(["experiment", "compare", first, second]) == 0
    printed = capsys.readouterr().out
    assert "No pipeline of the other evaluation is shown to be better" in printed
    assert "\nas it was  " in printed  # by its name in the file, not by its spec


def test_resume_goes_on_unless_what_it_stands_on_has_changed(
    capsys: pytest.CaptureFixture[str], file: Path, folder: Path
) -> None:
    experiment_id = run_json(capsys, "experiment", "run", str(file))["id"]
    assert run_json(capsys, "experiment", "resume", experiment_id)["id"] == experiment_id
    (folder / "corpus.jsonl").write_text('{"_id": "long", "title": "", "text": "Other."}\n')
    error = fail_json(capsys, "experiment", "resume", experiment_id)
    assert "has changed since" in error["message"]
    changes = run_json(capsys, "experiment", "show", experiment_id)["changes"]
    assert "my corpus holds other documents now." in changes


def test_a_mistake_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    error = fail_json(capsys, "experiment", "run", str(write(folder, "RR > high")))
    assert "line 8: The gate 'RR > high' cannot be read at character 6" in error["message"]


def test_the_report_of_an_experiment_is_written(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path
) -> None:
    experiment_id = run_json(capsys, "experiment", "run", str(file))["id"]
    report = tmp_path / "report.md"
    assert main(["experiment", "report", experiment_id, "-o", str(report)]) == 0
    assert "as-given" in report.read_text()
