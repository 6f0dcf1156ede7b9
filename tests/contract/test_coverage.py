"""No component of this project without the contract: a new entry point needs its test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rerank_lab.components.plugins import InstalledEntry
from rerank_lab.components.registry import entry_points
from rerank_lab.remote.providers import providers

TESTS = Path(__file__).parent.parent
CONTRACTS = ("reranker_contract", "served")


def under_contract() -> set[str]:
    """Class names that a test module hands to the contract, by call or by parameter."""
    found: set[str] = set()
    for file in TESTS.rglob("test_*.py"):
        text = file.read_text("utf-8")
        if "reranker_contract(" in text:
            found |= _given(ast.parse(text))
    return found


def _given(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CONTRACTS and node.args:
            found |= _names(node.args[0])
        if isinstance(node, ast.FunctionDef) and "the_contract" in node.name:
            for decorator in node.decorator_list:
                found |= _names(decorator)
    return found


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def without_contract(points: dict[str, InstalledEntry]) -> list[str]:
    """Registered rerankers of this project that no contract test names."""
    hosted, named = set(providers()), under_contract()
    return [
        name
        for name, point in points.items()
        if point.value.startswith("rerank_lab.")
        and name not in hosted  # test_hosted.py runs over every provider of the data file
        and point.value.rpartition(":")[2] not in named
    ]


def test_every_registered_reranker_is_under_contract() -> None:
    assert without_contract(dict(entry_points("reranker"))) == []


@pytest.mark.parametrize("name", ["Careful", "Reranker"])
def test_a_new_reranker_without_its_test_is_noticed(name: str) -> None:
    new = InstalledEntry("new", f"rerank_lab.rerankers.new:{name}", "rerank_lab.rerankers")
    assert without_contract({"new": new}) == ["new"]
