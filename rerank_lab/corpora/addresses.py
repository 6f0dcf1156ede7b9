"""Corpora from elsewhere: what lies at an address is brought to a folder, and read as any other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.corpora.layouts import worth_reading
from rerank_lab.corpora.limits import DEFAULT_LIMITS, Limits
from rerank_lab.corpora.source import Source
from rerank_lab.remote.objects.address import (
    OWN_RULES,
    AddressRules,
    ObjectAddress,
    is_address,
    parse_address,
)
from rerank_lab.remote.objects.download import download
from rerank_lab.remote.objects.store import FileOrigin, ObjectStore, RemoteObject

_MAX_NAME_BYTES = 240


def store_of(address: ObjectAddress, rules: AddressRules = OWN_RULES) -> ObjectStore:
    """The store that reads an address; nothing is asked yet.

    Raises:
        NotAllowed: `rules` do not allow it.
    """
    rules.check(address)
    if address.scheme == "s3":
        from rerank_lab.remote.objects.s3 import S3Store

        return S3Store(address)
    if address.scheme == "gs":
        from rerank_lab.remote.objects.gcs import GCSStore

        return GCSStore(address)
    from rerank_lab.remote.objects.web import WebStore

    return WebStore(address, rules)


def bring(
    text: str,
    folder: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    rules: AddressRules = OWN_RULES,
    ctx: Context | None = None,
) -> Source:
    """Write what lies at an address into an empty folder.

    Args:
        text: `s3://bucket/folder/`, `gs://bucket/file.csv`, `https://host/file.jsonl`.
        folder: Where it goes. Files of a folder keep their places; those of no format that can be
            read stay empty, so that they are counted as left out.
        limits: How large one file, and all together, may be.
        rules: What whoever asks may read.
        ctx: For progress and cancelling.

    Returns:
        The file, or the folder of several, with the objects that it was made from.

    Raises:
        LabError: It is not there, may not be read, is too large, or changed meanwhile.
    """
    ctx = ctx or Context()
    address = parse_address(text)
    store = store_of(address, rules)
    items = store.objects(ctx)
    single = len(items) == 1 and items[0].key == address.key
    paths = _paths(items, folder)
    wanted = [
        (item, path)
        for item, path in zip(items, paths, strict=True)
        if single or worth_reading(item.name)
    ]
    for item, path in zip(items, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (single or worth_reading(item.name)):
            path.touch()
    download(
        store, wanted, ctx, largest=limits.upload, total=max(limits.upload, limits.archive_total)
    )
    origin = FileOrigin(address.shown, bool(address.query), tuple(item for item, _ in wanted))
    name = paths[0].name if single else address.shown
    return Source(name, paths[0] if single else folder, origin=origin)


@contextmanager
def brought(
    reference: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    rules: AddressRules = OWN_RULES,
    ctx: Context | None = None,
) -> Iterator[Source]:
    """As `bring`, into a temporary folder that is removed when the block is left."""
    with tempfile.TemporaryDirectory(prefix="rerank-lab-") as folder:
        yield bring(reference, Path(folder), limits=limits, rules=rules, ctx=ctx)


@contextmanager
def brought_file(
    reference: str, *, limits: Limits = DEFAULT_LIMITS, ctx: Context | None = None
) -> Iterator[Source]:
    """As `brought`, for an address that must be one file. Its name is that of the file."""
    with brought(reference, limits=limits, ctx=ctx) as source:
        if source.path is None or source.path.is_dir():
            raise InvalidInput(
                f"{source.name} is a folder, not a file.",
                hint="Name one file in it.",
            )
        yield Source(source.path.name, source.path, origin=source.origin)


@contextmanager
def file_here(
    reference: str, *, limits: Limits = DEFAULT_LIMITS, ctx: Context | None = None
) -> Iterator[Path]:
    """A file that somebody names, where it is; from elsewhere it is here while the block lasts."""
    if not is_address(reference):
        yield user_path(reference)
        return
    with brought_file(reference, limits=limits, ctx=ctx) as source:
        assert source.path is not None
        yield source.path


def _paths(items: Sequence[RemoteObject], folder: Path) -> list[Path]:
    """The file of each object. Raises InvalidInput for names that no file can have."""
    spellings: dict[str, str] = {}
    faults: list[str] = []
    paths = []
    for item in items:
        place = PurePosixPath(item.name)
        if fault := _fault(item.name, spellings):
            faults.append(f"{item.name[:200]!r}: {fault}")
        spellings[item.name.casefold()] = item.name
        for parent in place.parents:
            spellings.setdefault(parent.as_posix().casefold() + "/", item.name)
        paths.append(folder.joinpath(*place.parts))
    if faults:
        raise InvalidInput(
            f"{len(faults):,} of the {len(items):,} names cannot be those of files here, such as "
            f"{faults[0]}.",
            hint="Name a folder or file without them.",
            problems=faults[:50],
        )
    return paths


def _fault(name: str, spellings: dict[str, str]) -> str:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "\x00" in name:
        return "it leads out of the folder"
    if any(part in ("", ".") for part in parts):
        return "a part of it is empty"
    if any(len(part.encode("utf-8", "replace")) > _MAX_NAME_BYTES for part in parts):
        return "it is too long"
    folded = name.casefold()
    ancestors = ("/".join(parts[:n]).casefold() for n in range(1, len(parts)))
    if (
        folded in spellings
        or folded + "/" in spellings
        or any(one in spellings for one in ancestors)
    ):
        return "another one is the same, or a folder"
    return ""


@dataclass(frozen=True, slots=True)
class OriginChanges:
    """What is another at an address since it was read: names of files, in their order."""

    address: str
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether anything is another."""
        return bool(self.changed or self.added or self.removed)


def origin_changes(
    origin: FileOrigin, *, rules: AddressRules = OWN_RULES, ctx: Context | None = None
) -> OriginChanges:
    """Look at an address again, without reading what lies there.

    Raises:
        LabError: It cannot be asked again, is not there any more, or may not be read.
    """
    if origin.signed:
        raise InvalidInput(
            f"{origin.address} was a signed address, which is not kept.",
            hint="Import it again from a new one.",
        )
    address = parse_address(origin.address)
    items = store_of(address, rules).objects(ctx or Context())
    single = len(items) == 1 and items[0].key == address.key
    now = {one.name: one.version for one in items if single or worth_reading(one.name)}
    then = {one.name: one.version for one in origin.objects}
    return OriginChanges(
        origin.address,
        tuple(name for name in then if name in now and now[name] != then[name]),
        tuple(name for name in now if name not in then),
        tuple(name for name in then if name not in now),
    )
