"""The entry points of all installed packages, looked for once.

`importlib.metadata` gives the same, but importing it and reading every package through it is a
tenth of the time in which a short command answers.
"""

from __future__ import annotations

import importlib
import operator
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import PathFinder
from typing import Any

_PREFIX = "rerank_lab."
_VALUE = re.compile(r"([\w.]+)\s*(?::\s*([\w.]+)\s*)?(?:\[.*\]\s*)?")


@dataclass(frozen=True, slots=True)
class InstalledEntry:
    """One line of a package's entry points: a name, and `module:attribute` that it stands for."""

    name: str
    value: str
    group: str

    def load(self) -> Any:
        """The object that it stands for. Raises what the import of its module raises."""
        parts = _VALUE.fullmatch(self.value)
        if parts is None:
            raise ImportError(f"{self.value!r} is not of the form module:attribute")
        module = importlib.import_module(parts[1])
        return operator.attrgetter(parts[2])(module) if parts[2] else module


def plugins(group: str) -> tuple[InstalledEntry, ...]:
    """The entry points of a group, whose name begins with `rerank_lab.`.

    All groups are found in one go; it is done again when the places that are looked in have
    changed.
    """
    return tuple(entry for entry in _installed(tuple(sys.path)) if entry.group == group)


@lru_cache(maxsize=1)
def _installed(places: tuple[str, ...]) -> tuple[InstalledEntry, ...]:
    if _has_other_places(places):
        return _by_importlib()
    entries: list[InstalledEntry] = []
    names: set[str] = set()
    for place in dict.fromkeys(places):
        for name, folder in _packages(place):
            if name not in names:  # as with modules, the first place wins
                names.add(name)
                entries += _entries(os.path.join(folder, "entry_points.txt"))
    return tuple(entries)


def _has_other_places(places: tuple[str, ...]) -> bool:
    """Whether packages may lie elsewhere than in folders: in zip files, or where a finder says."""
    finders = [one for one in sys.meta_path if one is not PathFinder]
    return any(hasattr(one, "find_distributions") for one in finders) or any(
        place.endswith(".egg") or os.path.isfile(place) for place in places
    )


def _by_importlib() -> tuple[InstalledEntry, ...]:
    from importlib.metadata import distributions

    packages = {_normalised(one.metadata["Name"]): one for one in reversed([*distributions()])}
    return tuple(
        InstalledEntry(entry.name, entry.value, entry.group)
        for package in packages.values()
        for entry in package.entry_points
        if entry.group.startswith(_PREFIX)
    )


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _packages(place: str) -> Iterator[tuple[str, str]]:
    """The packages in a folder: normalised name, and the folder that tells of it."""
    try:
        names = os.listdir(place or ".")
    except OSError:
        return
    for name in names:
        stem, kind = os.path.splitext(name)
        if kind in (".dist-info", ".egg-info"):
            yield _normalised(stem.partition("-")[0]), os.path.join(place or ".", name)


def _entries(file: str) -> Iterator[InstalledEntry]:
    try:
        with open(file, encoding="utf-8") as lines:
            text = lines.read()
    except (OSError, UnicodeDecodeError):
        return
    if _PREFIX not in text:
        return
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and not line.startswith("#") and group.startswith(_PREFIX):
            name, _, value = line.partition("=")
            yield InstalledEntry(name.strip(), value.strip(), group)
