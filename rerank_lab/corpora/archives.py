"""Zip files from anybody: unpacked into a private folder, or refused before they can do harm."""

from __future__ import annotations

import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.text import readable_size
from rerank_lab.corpora.limits import MB, Limits
from rerank_lab.corpora.source import Source

_NESTED = {".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst"}


@contextmanager
def unpacked(source: Source, limits: Limits) -> Iterator[Path]:
    """A temporary folder with the regular files of a zip; removed when the block is left.

    Raises InvalidInput, listing every offending member, for absolute or climbing paths, links,
    nested archives, encryption, too many members, or more bytes than the limits allow. The bytes
    are counted while unpacking: the sizes that an archive states are not believed.
    """
    with tempfile.TemporaryDirectory(prefix="rerank-lab-") as folder:
        try:
            with source.open() as stream, zipfile.ZipFile(stream) as archive:
                members = _checked_members(source.name, archive, limits)
                _unpack(source.name, archive, members, Path(folder), limits)
        except LabError:
            raise
        except Exception as error:  # a damaged zip makes the parser raise anything
            raise InvalidInput(
                f"{source.name} cannot be unpacked: {error}.",
                hint="Zip the files again without a password, with the usual compression.",
            ) from error
        yield Path(folder)


def _checked_members(
    name: str, archive: zipfile.ZipFile, limits: Limits
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    infos = archive.infolist()
    if len(infos) > limits.archive_entries:
        raise InvalidInput(
            f"{name} has {len(infos):,} members; up to {limits.archive_entries:,} are read.",
            hint="Put the documents in one JSONL or CSV file instead of one file each.",
        )
    faults: list[str] = []
    members: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    for info in infos:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if fault := _fault(info, path):
            faults.append(f"{info.filename!r}: {fault}")
        elif not info.is_dir() and not _is_clutter(path):
            members.append((info, path))
    stated = sum(info.file_size for info, _ in members)
    if stated > limits.archive_total:
        faults.append(
            f"unpacks to {readable_size(stated)}, over {readable_size(limits.archive_total)}"
        )
    if faults:
        raise InvalidInput(
            f"{name} is not unpacked: {faults[0]}"
            + (f" (and {len(faults) - 1:,} more)." if len(faults) > 1 else "."),
            hint="Zip plain files and folders only, with paths inside the archive.",
            problems=faults[:50],
        )
    return members


def _fault(info: zipfile.ZipInfo, path: PurePosixPath) -> str:
    drive = len(path.parts) > 0 and ":" in path.parts[0]
    if path.is_absolute() or drive or ".." in path.parts or "\x00" in info.filename:
        return "the path leads out of the archive"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "links and special files are refused"
    if path.suffix.lower() in _NESTED:
        return "archives inside archives are refused"
    return "it is encrypted" if info.flag_bits & 0x1 else ""


def _is_clutter(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _unpack(
    name: str,
    archive: zipfile.ZipFile,
    members: list[tuple[zipfile.ZipInfo, PurePosixPath]],
    folder: Path,
    limits: Limits,
) -> None:
    total = 0
    for info, path in members:
        target = folder.joinpath(*path.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        # A small file may compress very well (a page of spaces); only real volume is suspect.
        allowed = max(10 * MB, info.compress_size * limits.archive_ratio)
        written = 0
        with archive.open(info) as packed, target.open("xb") as out:
            while chunk := packed.read(MB):
                written += len(chunk)
                total += len(chunk)
                if written > allowed or total > limits.archive_total:
                    raise InvalidInput(
                        f"{name} looks like a zip bomb: {info.filename!r} unpacks to more than "
                        f"{readable_size(min(allowed, limits.archive_total))}.",
                        hint="Unpack it yourself and give the file inside, if you trust it.",
                    )
                out.write(chunk)
