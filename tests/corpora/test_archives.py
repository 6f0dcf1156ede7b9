"""Zips that would do harm are refused before they do any."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora.archives import unpacked
from rerank_lab.corpora.limits import MB, Limits
from rerank_lab.corpora.source import Source

from . import make


def names(data: bytes, limits: Limits | None = None) -> list[str]:
    with unpacked(Source("up.zip", data=data), limits or Limits()) as folder:
        return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_plain_files_are_unpacked_and_gone_afterwards() -> None:
    data = make.zipped({"a/x.txt": "one", "y.txt": "two", "__MACOSX/z": "no", ".DS_Store": "no"})
    with unpacked(Source("up.zip", data=data), Limits()) as folder:
        assert (folder / "a" / "x.txt").read_text() == "one"
        kept = Path(folder)
    assert not kept.exists()
    assert names(data) == ["a/x.txt", "y.txt"]


@pytest.mark.parametrize(
    "bad", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "C:\\evil.txt", "..\\evil.txt"]
)
def test_paths_that_leave_the_archive(bad: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="leads out of the archive") as caught:
        names(make.zipped({"good.txt": "x", bad: "y"}))
    assert "evil" in caught.value.problems[0]


def test_all_offending_members_are_listed() -> None:
    with pytest.raises(InvalidInput, match="and 1 more") as caught:
        names(make.zipped({"../a.txt": "x", "b.zip": "y"}))
    assert len(caught.value.problems) == 2


def test_links_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link.txt")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InvalidInput, match="links and special files"):
        names(out.getvalue())


def test_nested_archives_are_refused() -> None:
    with pytest.raises(InvalidInput, match="archives inside archives"):
        names(make.zipped({"inner.zip": make.zipped({"a.txt": "x"})}))


def test_a_zip_bomb_is_stopped_by_its_ratio() -> None:
    with pytest.raises(InvalidInput, match="zip bomb"):
        names(make.zipped({"zeros.txt": b"0" * (40 * MB)}))


def test_a_zip_over_the_total_is_refused_before_unpacking() -> None:
    data = make.zipped({"a.txt": os.urandom(3000), "b.txt": os.urandom(3000)})
    with pytest.raises(InvalidInput, match="unpacks to"):
        names(data, Limits(archive_total=5000))


def test_stated_sizes_are_not_believed() -> None:
    """A header that claims 10 bytes for a member that holds far more."""
    data = bytearray(make.zipped({"a.txt": b"0" * (40 * MB)}))
    real = (40 * MB).to_bytes(4, "little")
    at = data.rfind(real)
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(InvalidInput):
        names(bytes(data))


def test_too_many_members() -> None:
    with pytest.raises(InvalidInput, match="has 30 members"):
        names(make.zipped({f"{n}.txt": "x" for n in range(30)}), Limits(archive_entries=20))


def test_a_file_that_only_claims_to_be_a_zip() -> None:
    with pytest.raises(InvalidInput, match="cannot be unpacked"):
        names(b"PK\x03\x04 and then nothing")


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(make.zipped({"a.txt": "x"}))
    central = data.find(b"PK\x01\x02")
    data[central + 8] |= 1
    with pytest.raises(InvalidInput, match="encrypted"):
        names(bytes(data))
