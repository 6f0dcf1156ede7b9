"""Importing the core is quick and brings in nothing heavy; layers import downwards only."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rerank_lab

HEAVY = {
    "torch", "transformers", "sentence_transformers", "onnxruntime", "streamlit", "pandas",
    "pyarrow", "openai", "cohere", "ray", "faiss", "bm25s", "numba", "scipy", "sklearn",
    "lightgbm", "xgboost", "haystack", "langchain_core", "llama_index", "httpx", "boto3", "peft",
    "httpcore", "psycopg", "opensearchpy", "elasticsearch", "qdrant_client", "lancedb", "pymilvus",
}  # fmt: skip
# The wrappers for frameworks import their framework; nothing else imports them.
APART = {f"rerank_lab.integrations.{name}" for name in ("haystack", "langchain", "llama_index")}
# It stands for the network, is imported inside functions, and comes last here.
HTTP = {"rerank_lab.remote.transport"}
CORE = sorted(
    (
        module.name
        for module in pkgutil.walk_packages(rerank_lab.__path__, "rerank_lab.")
        if not module.name.startswith("rerank_lab.ui")
        and not module.name.endswith("__main__")
        and module.name not in APART
    ),
    key=lambda name: (name in HTTP, name),
)


def test_no_module_of_the_core_imports_anything_heavy() -> None:
    code = (
        "import importlib, json, sys\n"
        "found = {}\n"
        f"for name in {CORE!r}:\n"
        "    before = set(sys.modules)\n"
        "    importlib.import_module(name)\n"
        f"    heavy = sorted(({HEAVY!r} & set(sys.modules)) - before)\n"
        "    if heavy: found[name] = heavy\n"
        "print(json.dumps(found))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout) == {"rerank_lab.remote.transport": ["httpcore"]}
    assert {"core", "evaluation", "integrations", "learning", "remote", "services"} <= {
        name.split(".")[1] for name in CORE
    }


def test_every_public_name_can_be_had_from_the_root() -> None:
    for name in rerank_lab.__all__:
        assert getattr(rerank_lab, name) is not None
    with pytest.raises(AttributeError):
        _ = rerank_lab.no_such_name


def test_what_type_checkers_see_is_what_is_public() -> None:
    tree = ast.parse(Path(rerank_lab.__file__).read_text("utf-8"))
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    imported = {
        alias.name: f"rerank_lab.{module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for module in [node.module.removeprefix("rerank_lab.")]
        for alias in node.names
    }
    assert {*imported, "__version__"} == set(rerank_lab.__all__)
    for name, module in imported.items():
        assert getattr(importlib.import_module(module), name) is getattr(rerank_lab, name)


def test_a_plugin_needs_no_deeper_path() -> None:
    needed = {"Info", "Param", "TOP", "DEPTH", "LONG", "Work", "TokenBudget", "BackendError"}
    needed |= {"Reranker", "PointwiseReranker", "JointScoringReranker", "PairwiseReranker"}
    needed |= {"SetwiseReranker", "ListwiseReranker", "Retriever", "Fusion", "Component"}
    assert needed <= set(rerank_lab.__all__)


def test_importing_the_package_is_quick() -> None:
    code = (
        "import time; start = time.perf_counter(); import rerank_lab; "
        "print(time.perf_counter() - start)"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds) < 0.3


def test_functions_stay_callable_when_packages_of_their_name_are_imported() -> None:
    code = (
        "import rerank_lab as rl; first = (rl.retrieve('bm25', k=5), rl.rerank('mmr', top=9)); "
        "import rerank_lab.rerankers.base, rerank_lab.retrievers.base as base; "
        "assert (rl.retrieve('bm25', k=5), rl.rerank('mmr', top=9)) == first; "
        "assert str(rl.rerank('mmr', top=9)) == 'mmr(top=9)'; assert base.Retriever"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


_RUN_BY_SERVICES = {
    "rerank_lab.evaluation.experiments": {"evaluate", "plan", "run"},
    "rerank_lab.evaluation.experiments.run": {"evaluate", "plan", "run"},
    "rerank_lab.evaluation.calibration": {"calibrate", "judged_scores", "require_judgments"},
    "rerank_lab.learning": {"cross_validate", "plan", "train"},
    "rerank_lab.learning.plan": {"plan"},
    "rerank_lab.learning.run": {"train"},
    "rerank_lab.rerankers.health": {"check"},
}
"""What compare, evaluate, calibrate, train and health run: for the app and the command line only
through the service of that name."""


@pytest.mark.parametrize("room", ["ui", "cli"])
def test_app_and_command_line_reach_use_cases_through_services_only(room: str) -> None:
    root = Path(rerank_lab.__file__).parent
    beside = [
        f"{path.relative_to(root)}: {node.module} import {alias.name}"
        for path in sorted((root / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in _RUN_BY_SERVICES.get(node.module or "", ())
    ]
    assert beside == []


def test_pages_submit_no_jobs_of_their_own() -> None:
    files = sorted((Path(rerank_lab.__file__).parent / "ui").rglob("*.py"))
    assert files
    submits = re.compile(r"jobs(\(\))?\.submit\(")
    assert [str(path) for path in files if submits.search(path.read_text("utf-8"))] == []


MOST_ARROWS = 131
"""Pairs of rooms inside the package of which one imports the other. It may only go down."""


def test_few_arrows_run_between_rooms() -> None:
    root = Path(rerank_lab.__file__).parent
    imports = re.compile(r"^\s*from rerank_lab\.(\w+)|^\s*import rerank_lab\.(\w+)", re.M)
    arrows = {
        (room, target)
        for path in sorted(root.rglob("*.py"))
        for room in [path.relative_to(root).parts[0].removesuffix(".py")]
        for target in map("".join, imports.findall(path.read_text("utf-8")))
        if target != room
    }
    assert len(arrows) <= MOST_ARROWS, sorted(arrows)
