"""Models that come with packages are converted once for all tests, not once a data folder.

Each test has a data folder of its own, and a first use of a model there would convert it again,
which takes seconds. What the first test has converted is put into the folders of the others.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from rerank_lab.core.context import Context
from rerank_lab.models.convert import (
    conversion,
    cross_encoder,
    embedding,
    fused_graph,
    late_interaction,
    sparse,
)
from rerank_lab.models.convert.conversion import Conversion
from rerank_lab.models.locate.folder import LocatedModel

FOLDER = "RERANK_LAB_TEST_CONVERSIONS"


def share(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let conversions of packaged models be looked up in `folder`, and put there when new."""
    folder.mkdir(exist_ok=True)
    patch.setenv(FOLDER, str(folder))
    convert_once = conversion.convert_once

    def convert_or_copy(
        located: LocatedModel, ctx: Context, make: Callable[[Path], Conversion], form: str = ""
    ) -> Conversion:
        if located.where != "package":
            return convert_once(located, ctx, make, form)
        target = conversion.converted_folder(located, form)
        shared = folder / target.name
        if not target.exists() and shared.exists():
            _link(shared, target)
        result = convert_once(located, ctx, make, form)
        if target.exists() and not shared.exists():
            _link(target, shared)
        return result

    for module in (fused_graph, cross_encoder, embedding, late_interaction, sparse):
        patch.setattr(module, "convert_once", convert_or_copy)


def give(home: Path) -> None:
    """Put what is converted by now into a data folder that another process will use."""
    shared = Path(os.environ.get(FOLDER, ""))
    for one in shared.iterdir() if FOLDER in os.environ else ():
        if "-part-" not in one.name:
            _link(one, home / "models" / one.name)


def _link(source: Path, target: Path) -> None:
    """The same files under another folder, put in place whole; another's result stays."""
    part = target.with_name(f"{target.name}-part-{uuid4().hex}")
    shutil.copytree(source, part, copy_function=os.link)
    try:
        part.rename(target)
    except OSError:
        shutil.rmtree(part)
