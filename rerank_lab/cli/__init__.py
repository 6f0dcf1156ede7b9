"""The command line, `rerank-lab`: the same core as the app, every command with `--json`.

Results go to standard output. Errors go to standard error, with `--json` as one line
`{"error": kind, "message": ..., "hint": ...}`, and end with exit code 2 (130 when interrupted).
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from rerank_lab.cli.output import Output
from rerank_lab.cli.parser import COMMANDS, read_arguments
from rerank_lab.core.errors import Cancelled, LabError

OK, FAILED, INTERRUPTED, PIPE_CLOSED = 0, 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Never raises."""
    words = list(sys.argv[1:] if argv is None else argv)
    output = Output(as_json="--json" in words)
    try:
        code = _run(words, output)
        output.finish()
    except BrokenPipeError:
        # Whoever read our output has left (`| head`). Nobody is to be told of it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code


def _run(words: list[str], output: Output) -> int:
    try:
        arguments = read_arguments(words)
        output.prepare()
        module, function = COMMANDS[arguments.command]
        # Loaded only now: `--help` and a mistyped option answer at once.
        command = getattr(importlib.import_module(f"rerank_lab.cli.{module}"), function)
        code: int = _guarded(command, arguments, output)
    except SystemExit as done:  # argparse, after --help or --version
        return int(done.code or 0)
    except KeyboardInterrupt:
        output.error(Cancelled("Interrupted.", hint="Run the command again to go on."))
        return INTERRUPTED
    except Cancelled as error:
        output.error(error)
        return INTERRUPTED
    except LabError as error:
        output.error(error)
        return FAILED
    return code


def _guarded(command: object, arguments: object, output: Output) -> int:
    from rerank_lab.core.guard import lab_errors

    if not callable(command):
        raise TypeError(command)
    try:
        # The app becomes another process, whose standard output is its own.
        apart = nullcontext() if getattr(command, "__name__", "") == "app" else output.own_stdout()
        with lab_errors("The command"), apart:
            return int(command(arguments, output))
    except LabError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            raise error.__cause__ from None
        raise
