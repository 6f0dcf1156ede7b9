"""Files that commands write where an option says: checked before anything runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.storage import write_file

if TYPE_CHECKING:
    from rerank_lab.views.study_tables import AnyStudy

TABLE_ENDINGS = (".csv", ".json", ".md", ".parquet", ".tex")
"""What the name of a table's file may end in."""


def output_file(option: str, name: str | None) -> Path | None:
    """The path of a file that can be written; None where the option is not given.

    Raises:
        InvalidInput: it is a folder, or lies in none.
    """
    if not name:
        return None
    file = user_path(name)
    if file.is_dir():
        raise InvalidInput(f"{option}: {file} is a folder.", hint="Name a file.")
    if not file.parent.is_dir():
        raise InvalidInput(f"{option}: there is no folder {file.parent}.", hint="Make it first.")
    return file


def table_file(name: str | None) -> Path | None:
    """The file of `--table`; None where it is not given. Raises InvalidInput as `output_file`."""
    file = output_file("--table", name)
    if file is not None and file.suffix.casefold() not in TABLE_ENDINGS:
        raise InvalidInput(
            f"--table: {file.name} does not say what kind of file it is to be.",
            hint=f"End its name in {', '.join(TABLE_ENDINGS)}.",
        )
    return file


def write_study_table(arguments: argparse.Namespace, output: Output, *studies: AnyStudy) -> None:
    """Write the table of studies of one kind where `--table` says; nothing without it."""
    from rerank_lab.views.study_tables import TABLE_FILES, study_table

    file = table_file(arguments.table)
    if file is None:
        return
    write_file(file, TABLE_FILES[file.suffix.casefold()](study_table(*studies)))
    output.note(f"wrote {file}")
