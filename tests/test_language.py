"""Names say what they hold, no class name is used twice, and functions are short."""

from __future__ import annotations

import ast
import functools
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "rerank_lab"
SAYS_NOTHING = {"found", "made", "told", "said", "kept", "asked", "shown", "given"}
"""Names that tell what happened to a value, not what it is."""
MAX_FUNCTION_LINES = 50


@dataclass(frozen=True)
class ModuleNames:
    """What the checks below look at in a module."""

    path: Path
    lines: int
    vague: tuple[str, ...]
    classes: tuple[str, ...]
    long_functions: tuple[str, ...]


@functools.cache
def library() -> tuple[ModuleNames, ...]:
    """Every module of the library, each read once."""
    return tuple(names_of(path) for path in sorted(LIBRARY.rglob("*.py")))


def names_of(path: Path) -> ModuleNames:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    return ModuleNames(
        path.relative_to(ROOT),
        text.count("\n"),
        tuple(vague_names(nodes)),
        tuple(n.name for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_"),
        tuple(
            f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
        ),
    )


def vague_names(nodes: Iterable[ast.AST]) -> list[str]:
    """The variables and arguments among these that are named by what happened to them."""
    names = [
        node.id if isinstance(node, ast.Name) else node.arg
        for node in nodes
        if isinstance(node, ast.arg)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    ]
    return [name for name in names if name.strip("_") in SAYS_NOTHING]


def test_the_check_sees_variables_and_arguments() -> None:
    tree = ast.parse("def f(given, n):\n    found = [n for kept in given]\n    return found\n")
    assert Counter(vague_names(ast.walk(tree))) == Counter(["given", "found", "kept"])


def test_variables_say_what_they_hold() -> None:
    by_file = {module.path: module.vague for module in library() if module.vague}
    lines = sum(module.lines for module in library())
    assert 1000 * sum(map(len, by_file.values())) / lines < 1, by_file


def test_no_class_name_is_used_twice() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for module in library():
        for name in module.classes:
            homes[name].append(str(module.path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_functions_are_short() -> None:
    assert [function for module in library() for function in module.long_functions] == []
