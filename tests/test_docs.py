"""What the docs say is true: pages up to date, links alive, examples that run, settings named."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import io
import re
import shlex
import textwrap
from pathlib import Path

import pytest

from rerank_lab.cli.parser import read_arguments
from rerank_lab.components.base import KINDS, Info
from rerank_lab.components.catalogue import catalogue, elsewhere
from rerank_lab.components.registry import infos
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_the_generated_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.stale() == [], "run python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.models
@pytest.mark.timeout(900)  # it evaluates a sample through a cross-encoder, on a busy machine too
def test_the_python_example_runs_as_it_stands() -> None:
    (example,) = blocks(README, "python")
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(example, "README.md", "exec"), {})
    lines = shown.getvalue().splitlines()
    assert lines[0].startswith("1 ")
    assert "->" in shown.getvalue()
    assert "nDCG@10" in lines[-1]


INTEGRATIONS = (ROOT / "docs" / "integrations.md").read_text("utf-8")
FRAMEWORKS = blocks(INTEGRATIONS, "python")


def test_every_example_of_stages_can_be_had() -> None:
    specs = re.findall(r"^    (\S.*)$", INTEGRATIONS.split("```")[0], re.M)
    assert len(specs) == 3
    for spec in specs:
        assert str(Stages(spec)) == spec


@pytest.mark.models
@pytest.mark.parametrize("example", FRAMEWORKS, ids=lambda text: text.split()[1])
def test_the_examples_for_frameworks_run_and_find_the_answer(example: str) -> None:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(example, "integrations.md", "exec"), {})
    first = shown.getvalue().splitlines()[0]
    assert "heat from outside" in first
    assert "logit" in first


OF_THE_EXAMPLE = "rare"
"""The modules that the example of a page writes itself."""
GUIDES = ("add-a-page.md", "add-a-model-family.md", "add-a-corpus-format.md")


@pytest.mark.parametrize("guide", GUIDES)
def test_what_an_example_of_a_guide_imports_is_there(guide: str) -> None:
    text = (ROOT / "docs" / guide).read_text("utf-8")
    examples = re.findall(r"^ *```python\n(.*?)^ *```$", text, re.M | re.S)
    assert examples
    for example in examples:
        for node in ast.walk(ast.parse(textwrap.dedent(example), guide)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("rerank_lab."):
                module = importlib.import_module(str(node.module))
                for name in {alias.name for alias in node.names} - {OF_THE_EXAMPLE}:
                    inner = f"{node.module}.{name}"
                    assert hasattr(module, name) or importlib.util.find_spec(inner), inner


def test_every_command_in_the_readme_is_a_command() -> None:
    commands = [
        line
        for block in blocks(README, "sh")
        for line in block.splitlines()
        if line.startswith("rerank-lab ")
    ]
    assert len(commands) >= 4
    for command in commands:
        read_arguments(shlex.split(command)[1:])


def test_every_pipeline_in_the_readme_parses() -> None:
    specs = re.findall(r'Pipeline\("([^"]+)"\)|-p ("[^"]+"|\S+)', README)
    found = [a or b.strip('"') for a, b in specs]
    assert len(found) >= 3
    for spec in found:
        Pipeline(spec)


def test_what_to_use_instead_exists() -> None:
    named = {word for row in elsewhere() for word in re.findall(r"`([a-z0-9.-]+)`", row.instead)}
    assert len(named) > 5
    known = set(catalogue()) | {info.name for kind in KINDS for info in infos(kind)}
    assert named - known - {"template"} == set()
    assert all(row.systems and row.missing for row in elsewhere())


def test_every_setting_is_documented() -> None:
    code = "\n".join(path.read_text("utf-8") for path in ROOT.glob("rerank_lab/**/*.py"))
    named = set(re.findall(r"\bRERANK_LAB_[A-Z_]+\b", code))
    told = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert sorted(name for name in named if name not in told) == []


def test_the_readme_names_every_component() -> None:
    """Hosted ones stand under their family; every other has its name in the table."""
    table = README.split("## What is inside")[1].split("All names and options")[0]
    every = [info for kind in KINDS for info in infos(kind) if isinstance(info, Info)]
    missing = [i.name for i in every if i.family != "hosted" and f"`{i.name}`" not in table]
    assert missing == []
