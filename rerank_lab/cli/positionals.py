"""Positional arguments behind an option of several values: `rank -p bm25 CORPUS QUERY`.

argparse gives all words behind such an option to the option. Here they are told apart by what they
are: a word that is no pipeline is not one of `-p`'s values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rerank_lab.core.errors import LabError

_OPTIONS = {"-p": "pipeline", "--pipeline": "pipeline", "-m": "measure", "--measure": "measure"}
"""The options of several values, and what these are."""
_MOST = 2
"""Positional arguments that a command has at most."""
_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


@dataclass(slots=True)
class _Run:
    """An option at `start` of the words and the values behind it, those before `end`."""

    option: str
    start: int
    end: int

    @property
    def surplus(self) -> int:
        """How many values it can do without."""
        return self.end - self.start - 2


def rearranged(words: Sequence[str]) -> Iterator[list[str]]:
    """The words with one, then two values taken back from options, which then stand at the end.

    Nothing when there is nothing to take back. Where `--` stands, the words are apart already.
    """
    runs = [] if "--" in words else _runs(words)
    for _ in range(_MOST):
        if not (spare := [run for run in reversed(runs) if run.surplus > 0]):
            return
        last = spare[0]
        other = next((run for run in spare if not _is_value(run, words[run.end - 1])), last)
        other.end -= 1
        taken = {place for run in runs for place in range(run.start, run.end)}
        rest = [word for place, word in enumerate(words) if place not in taken]
        yield rest + [word for run in runs for word in words[run.start : run.end]]


def _runs(words: Sequence[str]) -> list[_Run]:
    runs = []
    for start, word in enumerate(words):
        if word in _OPTIONS:
            end = start + 1
            while end < len(words) and not _is_option(words[end]):
                end += 1
            runs.append(_Run(_OPTIONS[word], start, end))
    return runs


def _is_option(word: str) -> bool:
    return word.startswith("-") and " " not in word and not _NEGATIVE_NUMBER.fullmatch(word)


def _is_value(run: _Run, word: str) -> bool:
    """Whether the word is a pipeline or a measure, as the option wants."""
    from rerank_lab.components.registry import resolve
    from rerank_lab.evaluation.measure_names import parse_measures

    try:
        if run.option == "pipeline":
            resolve(word)
        else:
            parse_measures([word])
    except LabError:
        return False
    return True
