"""What is found of installed packages is what importlib.metadata finds."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from rerank_lab.components.plugins import InstalledEntry, plugins

GROUPS = ("rerank_lab.retrievers", "rerank_lab.rerankers", "rerank_lab.fusions")
ENTRIES = """# a comment
[console_scripts]
tool = tool:main
[rerank_lab.rerankers]
{name} = example_plugin:Thing.part [extra]

[rerank_lab.readers]
other=example_plugin
"""


def by_importlib(group: str) -> set[tuple[str, str]]:
    return {(one.name, one.value) for one in entry_points(group=group)}


def here(group: str) -> set[tuple[str, str]]:
    return {(one.name, one.value) for one in plugins(group)}


@pytest.mark.parametrize("group", GROUPS)
def test_the_entry_points_of_this_environment(group: str) -> None:
    assert here(group) == by_importlib(group)
    assert here(group)


def test_a_package_that_comes_twice_counts_where_it_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name in (("one", "example-plugin-1.0"), ("two", "Example_Plugin-2.0")):
        folder = tmp_path / place / f"{name.replace('example-plugin', 'example_plugin')}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Name: example-plugin\nVersion: 1\n")
        (folder / "entry_points.txt").write_text(ENTRIES.format(name=place))
        monkeypatch.syspath_prepend(tmp_path / place)
    (tmp_path / "two" / "example_plugin.py").write_text("class Thing:\n    part = 7\n")
    for group in (*GROUPS, "rerank_lab.readers"):
        assert here(group) == by_importlib(group)
    entry = next(one for one in plugins("rerank_lab.rerankers") if one.name == "two")
    assert entry.load() == 7
    assert InstalledEntry("x", "example_plugin", "rerank_lab.readers").load().Thing.part == 7
    with pytest.raises(ImportError, match="module:attribute"):
        InstalledEntry("x", "a b", "rerank_lab.readers").load()


def test_a_package_in_a_zip_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "plugin.zip", "w") as packed:
        packed.writestr("zipped-1.0.dist-info/METADATA", "Name: zipped\nVersion: 1.0\n")
        packed.writestr("zipped-1.0.dist-info/entry_points.txt", ENTRIES.format(name="zipped"))
    monkeypatch.syspath_prepend(tmp_path / "plugin.zip")
    assert "zipped" in {one.name for one in plugins("rerank_lab.rerankers")}


def test_a_short_command_reads_no_package_metadata_by_importlib() -> None:
    code = (
        "import sys; from rerank_lab.components.registry import entry_points; "
        "entry_points('retriever'); sys.exit('importlib.metadata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
