"""What a target is, and how one is run on an input."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rerank_lab.core.errors import LabError

PROJECT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Target:
    """One place where the lab reads what others wrote.

    `run` gets an input and an empty folder that is the lab's data folder too, and may say what came
    of it in a word.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes, Path], str | None]
    pieces: tuple[bytes, ...] = ()


def check(target: Target, data: bytes) -> str:
    """Run a target on one input; what came of it, in a word.

    Raises:
        AssertionError: The refusal has no hint, or cannot be shown.
        Exception: whatever the target let through that is not a LabError: a defect.
    """
    with tempfile.TemporaryDirectory() as folder, home_at(Path(folder)):
        try:
            return target.run(data, Path(folder)) or "read"
        except LabError as error:
            assert error.hint, error.message  # noqa: PT017
            assert "worth reporting" not in error.hint, error.message  # noqa: PT017
            assert len(error.message) < 20_000, error.message[:200]  # noqa: PT017
            f"{error.message} {error.hint} {error.details}".encode()
            return (
                f"{type(error).__name__}: {''.join(c for c in error.message[:60] if c.isalpha())}"
            )


@contextmanager
def home_at(folder: Path) -> Iterator[None]:
    """The lab's data folder in a `with` block."""
    before = os.environ.get("RERANK_LAB_HOME")
    os.environ["RERANK_LAB_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["RERANK_LAB_HOME"]
        else:
            os.environ["RERANK_LAB_HOME"] = before


def named(name: str, data: bytes | str) -> bytes:
    """An input that carries a file name: what stands before its first line end."""
    return name.encode() + b"\n" + (data if isinstance(data, bytes) else data.encode())


def split_name(data: bytes) -> tuple[str, bytes]:
    """The file name and the content of an input that `named` made, or of what it became."""
    name, _, content = data.partition(b"\n")
    safe = "".join(c for c in name.decode("utf-8", "replace")[-60:] if c.isprintable() and c != "/")
    return (safe if safe.strip(". ") else "x.txt"), content


def text_of(data: bytes) -> str:
    """An input as text in which surrogates may stand alone, as JSON and JavaScript let them."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


# Corpora


def texts(*values: str) -> Callable[[], list[bytes]]:
    """Seeds that are texts."""
    return lambda: [value.encode() for value in values]


JSON_PIECES = (
    b'": ',
    b'", "',
    b"null",
    b"[null]",
    b"{}",
    b"1e400",
    b'"\\ud800"',
    b"[" * 500,
    b'{"a":' * 500,
)
