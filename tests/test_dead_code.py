"""Nothing in the library stands unused, but for what others reach by its name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import rerank_lab
from rerank_lab.cli.labels import LABEL_ACTIONS
from rerank_lab.cli.parser import COMMANDS, HELP

vulture = pytest.importorskip("vulture")

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FOR_TESTS = ROOT / "rerank_lab" / "testing"
"""Fakes and servers that only tests, of this project and of plugins, make use of."""
CALLED_BY_OTHERS = {
    # Python and Streamlit's server
    "__getattr__", "__dir__", "readinto", "_from_iterable", "handle_starttag",
    # fields of values that are written to files or read by whoever scripts the core
    "by", "p_t", "qrels_hash", "max_difference", "systems", "instead", "exchange", "begun_ns",
    "query_text", "rr", "shown_hash", "other_model", "detectable",
    # attributes that other libraries read
    "model_config", "intra_op_num_threads", "inter_op_num_threads", "log_severity_level",
    "enable_mem_pattern", "max_seq_length", "efConstruction", "min_points_per_centroid",
    "compress_type", "down_revision", "isolation_level", "read_only",
    # options that are handed on by name
    "price_in", "price_out",
    # methods and classes that LangChain, LlamaIndex and Haystack call
    "RerankLabCompressor", "RerankLabPostprocessor", "compress_documents", "acompress_documents",
    "class_name", "_postprocess_nodes", "_apostprocess_nodes", "warm_up", "run_async", "to_dict",
    "from_dict",
    # notebooks
    "_repr_html_", "to_frame", "query_frame",
    # helpers of the Python core for scripts and plugins, documented or under contract
    "grade_chances",
    "write_qrels", "whole_documents", "search_many", "upload_extensions", "column_lines",
}  # fmt: skip


def names_reached_from_outside() -> set[str]:
    """Public names, commands, the classes that entry points name, and the actions of `labels`."""
    entry_points = PROJECT["entry-points"].values()
    classes = {target.split(":")[1] for group in entry_points for target in group.values()}
    actions = {action.function for action in LABEL_ACTIONS.values()}
    commands = {function for _, function in COMMANDS.values()}
    commands |= {about.function for about in HELP.values()}
    return {*rerank_lab.__all__, *classes, *actions, *commands, *CALLED_BY_OTHERS}


def unused_names() -> list[str]:
    """What vulture reports, as "file:line kind 'name'"."""
    scavenger = vulture.Vulture(ignore_names=sorted(names_reached_from_outside()))
    scavenger.scavenge([str(ROOT / "rerank_lab"), str(ROOT / "pages"), str(ROOT / "app.py")])
    items = scavenger.get_unused_code(min_confidence=60)
    return [
        f"{item.filename.relative_to(ROOT)}:{item.first_lineno} {item.typ} {item.name!r}"
        for item in items
        if FOR_TESTS not in item.filename.parents
    ]


def test_everything_in_the_library_is_used() -> None:
    assert unused_names() == []
