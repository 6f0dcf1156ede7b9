"""Names say what they hold, no class name is used twice, and functions are short."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "rerank_lab"
SAYS_NOTHING = {"found", "made", "told", "said", "kept", "asked", "shown", "given"}
"""Names that tell what happened to a value, not what it is."""
MAX_FUNCTION_LINES = 50


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(LIBRARY.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text("utf-8"))


def vague_names(tree: ast.AST) -> list[str]:
    """The variables and arguments of a module that are named by what happened to them."""
    stored = [
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    arguments = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    return [name for name in stored + arguments if name.strip("_") in SAYS_NOTHING]


def test_the_check_sees_variables_and_arguments() -> None:
    tree = ast.parse("def f(given, n):\n    found = [n for kept in given]\n    return found\n")
    assert Counter(vague_names(tree)) == Counter(["given", "found", "kept"])


def test_variables_say_what_they_hold() -> None:
    by_file = {path: names for path, tree in trees() if (names := vague_names(tree))}
    lines = sum(path.read_text("utf-8").count("\n") for path in LIBRARY.rglob("*.py"))
    assert 1000 * sum(map(len, by_file.values())) / lines < 1, by_file


def test_no_class_name_is_used_twice() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_functions_are_short() -> None:
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, functions)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert long == []
