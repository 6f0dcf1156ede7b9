"""Removes one error branch of the adapters at a time and says which removals no test notices.

    python benchmarks/adapter_mutations.py [module-part...] [--jobs 2] [--timeout 60] [--reach FILE]

A branch is a `raise`, an `except` handler (removed: the error passes through), or an `if` that
refuses, returns early, skips or warns (removed: never taken). First the tests of the adapters run
once, and the lines of the adapters that each test reaches are noted. Then, for every mutant, a copy
of this process gives the function that holds the branch the code without it, and runs the tests
that reach its line, the quickest first, until one fails. Nothing on disk is touched. A mutant that
takes longer than the timeout counts as noticed: the suite would not end. Survivors are listed;
those in `EQUIVALENT` change nothing that anybody could see, with the reason beside them.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    *sorted((ROOT / "rerank_lab/remote").glob("*.py")),
    *sorted((ROOT / "rerank_lab/rerankers/hosted").glob("*.py")),
    *sorted((ROOT / "rerank_lab/rerankers/llm").glob("*.py")),
    ROOT / "rerank_lab/rerankers/parsing.py",
    ROOT / "rerank_lab/rerankers/comparative.py",
)
TESTS = (
    "tests/remote", "tests/rerankers/hosted", "tests/rerankers/llm",
    "tests/contract/test_hosted.py",
    "tests/contract/test_llm.py", "tests/views/test_hosted.py", "tests/rerankers/test_parsing.py",
    "tests/rerankers/test_comparative.py",
)  # fmt: skip
LEFT_OUT = ("test_real_model.py",)
"""Minutes long, and nothing that the quick tests would not notice."""
_SOONER = "the same outcome, only sooner"
EQUIVALENT: dict[tuple[str, str], str] = {
    (
        "rerank_lab.rerankers.llm.sanitise",
        'if len(text) > _LONGEST_LABEL and not any(bracket in text for bracket in "[［﹇"):',
    ): _SOONER,
    ("rerank_lab.rerankers.parsing", "if folded.isascii():"): _SOONER,
}
"""(module, code of the branch's first line): why its removal cannot be noticed."""


@dataclass(frozen=True)
class Mutant:
    """One branch, by its place in `ast.walk` order; `lines` are those that reach it."""

    path: Path
    place: int
    kind: str
    line: int
    code: str
    lines: frozenset[int]

    @property
    def name(self) -> str:
        """The module's dotted name."""
        return str(self.path.relative_to(ROOT).with_suffix("")).replace("/", ".")


def mutants(path: Path) -> Iterator[Mutant]:
    """Every branch of a module that can be removed."""
    text = path.read_text("utf-8")
    shown = text.split("\n")
    tree = ast.parse(text)
    alone = {
        id(node.body[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and len(node.body) == 1 and _leaves(node)
    }
    for place, node in enumerate(ast.walk(tree)):
        kind = _kind(node)
        if not kind or id(node) in alone:
            continue
        assert isinstance(node, ast.stmt | ast.ExceptHandler)
        reached = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if kind == "if":
            assert isinstance(node, ast.If)
            reached = range(node.lineno, node.body[0].lineno)
        yield Mutant(
            path, place, kind, node.lineno, shown[node.lineno - 1].strip(), frozenset(reached)
        )


def _kind(node: ast.AST) -> str:
    if isinstance(node, ast.Raise):
        made = ast.unparse(node)
        return "" if "unreachable" in made or "NotImplementedError" in made else "raise"
    if isinstance(node, ast.ExceptHandler):
        passes_on = len(node.body) == 1 and ast.unparse(node.body[0]) == "raise"
        return "" if passes_on else "except"
    return "if" if isinstance(node, ast.If) and (_leaves(node) or _tells(node)) else ""


def _leaves(node: ast.If) -> bool:
    return isinstance(node.body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break)


def _tells(node: ast.If) -> bool:
    told = {"warn", "hold", "say", "append", "add"}
    calls = [inner for part in node.body for inner in ast.walk(part) if isinstance(inner, ast.Call)]
    return any(isinstance(c.func, ast.Attribute) and c.func.attr in told for c in calls)


def mutated(mutant: Mutant) -> CodeType:
    """The module's code without the branch."""
    tree = ast.parse(mutant.path.read_text("utf-8"))
    node = list(ast.walk(tree))[mutant.place]
    if isinstance(node, ast.If):
        node.test = ast.copy_location(ast.Constant(False), node.test)
    elif isinstance(node, ast.ExceptHandler):
        node.body = [ast.copy_location(ast.Raise(), node.body[0])]
    else:
        for parent in ast.walk(tree):
            for _, value in ast.iter_fields(parent):
                if isinstance(value, list) and node in value:
                    value[value.index(node)] = ast.copy_location(ast.Pass(), node)
    return compile(tree, str(mutant.path), "exec", dont_inherit=True)


def remove(mutant: Mutant) -> None:
    """Give the function that holds the branch, in this process, the code without it."""
    importlib.import_module(mutant.name)  # some are loaded only when they are used
    name, code = _enclosing(mutated(mutant), mutant.line)
    path = str(mutant.path)
    found = [
        thing
        for thing in gc.get_objects()
        if type(thing) is FunctionType  # isinstance asks a dead weak proxy for its class
        and (thing.__code__.co_filename, thing.__code__.co_qualname) == (path, name)
        and thing.__code__.co_firstlineno == code.co_firstlineno
    ]
    if not found:
        raise LookupError(f"{mutant.name}: {name} is not loaded")
    for function in found:
        function.__code__ = code


def _enclosing(code: CodeType, line: int) -> tuple[str, CodeType]:
    """The outermost function around a line: those inside it are made when it runs."""
    functions = [inner for inner in code.co_consts if isinstance(inner, CodeType)]
    holding = [inner for inner in functions if line in {at for _, _, at in inner.co_lines()}]
    holding += [inner for inner in functions if line in _inside(inner)]
    chosen = holding[0]
    if chosen.co_flags & 0x2:  # CO_NEWLOCALS: a function, not the body of a class
        return chosen.co_qualname, chosen
    return _enclosing(chosen, line)


def _inside(code: CodeType) -> set[int | None]:
    own = {at for _, _, at in code.co_lines()}
    inner = (_inside(part) for part in code.co_consts if isinstance(part, CodeType))
    return own.union(*inner)


class Reach:
    """A pytest plugin: which lines of the adapters each test reaches, and how long it takes."""

    def __init__(self) -> None:
        self.files = {str(path) for path in MODULES}
        self.lines: dict[str, set[tuple[str, int]]] = {}
        self.seconds: dict[str, float] = {}
        self.now: set[tuple[str, int]] = set()

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        """The trace function of a frame: only those of the adapters are followed."""
        return self.line if frame.f_code.co_filename in self.files else None

    def line(self, frame: FrameType, event: str, _: Any) -> Any:
        """Note a line that the running test reaches."""
        if event == "line":
            self.now.add((frame.f_code.co_filename, frame.f_lineno))
        return self.line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Note the time and the lines of each test."""
        self.now = self.lines[item.nodeid] = set()
        start = time.perf_counter()
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seconds[item.nodeid] = time.perf_counter() - start


class Session:
    """A pytest plugin: once everything is collected, copies of this process do the running."""

    def __init__(self, wanted: Sequence[Mutant], kept: Path, jobs: int, timeout_s: float) -> None:
        self.wanted, self.kept, self.jobs, self.timeout_s = wanted, kept, jobs, timeout_s
        self.found: dict[Mutant, str] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Reach the lines first, then try the mutants."""
        if not self.kept.exists():
            self._reach(session)
        lines, seconds, failed = json.loads(self.kept.read_text("utf-8"))
        for name in failed:
            print(f"fails without any mutation: {name}", file=sys.stderr)
        reached = {name: {(path, at) for path, at in found} for name, found in lines.items()}
        waiting = list(self.wanted)[::-1]
        running: dict[int, tuple[Mutant, float]] = {}
        while waiting or running:
            while waiting and len(running) < self.jobs:
                mutant = waiting.pop()
                place = {(str(mutant.path), line) for line in mutant.lines}
                order = sorted((t for t in reached if reached[t] & place), key=seconds.get)
                if order:
                    pid = in_child(lambda m=mutant, o=order: self._try(session, m, o))  # type: ignore[misc]
                    # On a busy machine tests take longer than when they were timed.
                    expected_s = sum(seconds[name] for name in order)
                    running[pid] = (mutant, time.monotonic() + self.timeout_s + 3 * expected_s)
                else:
                    self._tell(mutant, "unreached")
            time.sleep(0.02)
            for pid in list(running):
                how = ended(pid, time.monotonic() > running[pid][1])
                if how:
                    self._tell(running.pop(pid)[0], how)
        return True

    def _tell(self, mutant: Mutant, how: str) -> None:
        self.found[mutant] = how
        print(f"{how:10} {mutant.name}:{mutant.line} {mutant.code}", file=sys.stderr, flush=True)

    def _reach(self, session: pytest.Session) -> None:
        def work() -> int:
            plugin = Reach()
            session.config.pluginmanager.register(plugin)
            failed = run(session, session.items, stop=False)
            lines = {n: sorted(at) for n, at in plugin.lines.items() if n not in failed}
            self.kept.write_text(json.dumps([lines, plugin.seconds, failed]), "utf-8")
            return 0

        os.waitpid(in_child(work), 0)

    @staticmethod
    def _try(session: pytest.Session, mutant: Mutant, order: Sequence[str]) -> int:
        remove(mutant)
        place = {name: i for i, name in enumerate(order)}
        items = [item for item in session.items if item.nodeid in place]
        items.sort(key=lambda item: place[item.nodeid])
        return 1 if run(session, items, stop=True) else 0


def run(session: pytest.Session, items: Sequence[pytest.Item], *, stop: bool) -> list[str]:
    """Run tests; the names of those that failed, only the first with `stop`."""
    failed: list[str] = []
    for i, item in enumerate(items):
        before = session.testsfailed
        after = items[i + 1] if i + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        if session.testsfailed > before:
            failed.append(item.nodeid)
            if stop:
                break
    return failed


def in_child(work: Callable[[], int]) -> int:
    """The id of a copy of this process that runs `work` and exits with what it returns."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        status = work()
    finally:
        os._exit(status)


def ended(pid: int, late: bool) -> str:
    """How a mutant's process ended, "" while it runs and is not late."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        how = {0: "survived", 1: "killed"}
        return how.get(os.waitstatus_to_exitcode(status), "broken")
    if not late:
        return ""
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hung"


def main() -> None:
    """Try the mutants and write the report."""
    reader = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    reader.add_argument("parts", nargs="*", help="only modules whose name holds one of these")
    reader.add_argument("--jobs", type=int, default=2)
    reader.add_argument("--timeout", type=float, default=60.0, help="seconds a mutant")
    reader.add_argument("--reach", type=Path, help="file that keeps what tests reach")
    reader.add_argument("--seed", type=int, default=0, help="of the order of mutants")
    given = reader.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    wanted = [mutant for path in MODULES for mutant in mutants(path)]
    if given.parts:
        wanted = [m for m in wanted if any(part in m.name for part in given.parts)]
    random.Random(given.seed).shuffle(wanted)
    with tempfile.TemporaryDirectory() as folder:
        kept = given.reach or Path(folder) / "reach.json"
        session = Session(wanted, kept, given.jobs, given.timeout)
        # Without capture, so that progress is seen; what tests and pytest print is not.
        quiet = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:warnings"]
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            pytest.main([*quiet, *(f"--ignore-glob=*{n}" for n in LEFT_OUT), *TESTS], [session])
    found = session.found
    left = [m for m, how in found.items() if how not in ("killed", "hung")]
    known = [m for m in left if (m.name, m.code) in EQUIVALENT]
    report("adapter_mutations", {
        "mutants": len(found),
        "killed": sum(how == "killed" for how in found.values()),
        "hung": sum(how == "hung" for how in found.values()),
        "equivalent": {f"{m.name}:{m.line} {m.code}": EQUIVALENT[m.name, m.code] for m in known},
        "survivors": sorted(f"{m.name}:{m.line} {m.code}" for m in left if m not in known),
    })  # fmt: skip
    if len(known) < len(left):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
