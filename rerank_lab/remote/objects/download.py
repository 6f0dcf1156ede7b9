"""Objects brought to files: several at a time, bounded, going on where a connection broke."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.core.storage import disk_errors
from rerank_lab.core.text import readable_size
from rerank_lab.remote.gather import gather
from rerank_lab.remote.objects.partial import forget_old_parts, kept_part
from rerank_lab.remote.objects.store import ObjectStore, ReadInterrupted, RemoteObject
from rerank_lab.remote.retries import TransportError, pause, pause_before

_MOST_BREAKS = 200
_WIDTH = 8
"""Objects that are read at a time."""


@dataclass(slots=True)
class _Progress:
    """Bytes of all objects together, told to whoever waits."""

    ctx: Context
    message: str
    total: int
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, size: int) -> None:
        with self.lock:
            self.done += size
            words = f"{self.message}: {readable_size(self.done)}"
        self.ctx.report(words, self.done, self.total)


def download(
    store: ObjectStore,
    items: Sequence[tuple[RemoteObject, Path]],
    ctx: Context,
    *,
    largest: int,
    total: int,
) -> None:
    """Write objects to files that are not there yet.

    What came of a large one before it broke off, was cancelled or killed is kept in the data folder
    for a week, and the same version is gone on with there.

    Args:
        store: Where they are.
        items: Each object with its file; the folders are there.
        ctx: For progress, in bytes, and cancelling.
        largest: Bytes that one object may have.
        total: Bytes that all of them may have.

    Raises:
        InvalidInput: They are larger than allowed, by what the store says or by what comes.
        BackendError: One has changed meanwhile, or breaks off again and again.
    """
    for item, _ in items:
        _check(item.address, item.size or 0, largest)
    stated = sum(item.size or 0 for item, _ in items)
    _check(store.address.shown, stated, total)
    progress = _Progress(ctx, f"Reading {store.address.shown}", stated)

    def work(one: tuple[RemoteObject, Path], inner: Context) -> None:
        item, path = one
        with kept_part(item) as part:
            gathered = part or path
            with disk_errors(gathered), gathered.open("ab" if part else "xb") as out:
                progress.add(out.tell())
                _read(store, item, out, inner, largest, progress.add)
            if part:
                with disk_errors(path):
                    shutil.move(part, path)
        _check(store.address.shown, progress.done, total)

    forget_old_parts()
    gather(items, work, ctx, _WIDTH, lambda _index, _result: None)


def _check(address: str, size: int, limit: int) -> None:
    if size > limit:
        raise InvalidInput(
            f"{address} is {readable_size(size)}; up to {readable_size(limit)} are read.",
            hint="Name a part of it: reranking is compared on a sample as well.",
        )


def _read(
    store: ObjectStore,
    item: RemoteObject,
    out: BinaryIO,
    ctx: Context,
    limit: int,
    progress: Callable[[int], None],
) -> None:
    """All bytes of one object; after a break from where it stopped, never from another version."""
    attempt = breaks = 0
    while True:
        start = out.tell()
        try:
            for block in store.blocks(item, start, ctx):
                out.write(block)
                progress(len(block))
                _check(item.address, out.tell(), limit)
                ctx.checkpoint()
            if item.size is None or out.tell() == item.size:
                return
            if out.tell() > item.size:
                raise store.changed(item)
            reason = "it ended early"
        except ReadInterrupted as interruption:
            reason = str(interruption)
        attempt = 0 if out.tell() > start else attempt + 1
        breaks += 1
        if attempt >= store.attempts or breaks >= _MOST_BREAKS:
            raise BackendError(
                f"{item.address} broke off at {readable_size(out.tell())} and could not be "
                f"read on: {reason}.",
                hint="Check the connection and try again.",
                retryable=True,
            )
        pause(pause_before(attempt, TransportError("connection")), ctx, item.address)
        if not item.version:  # nobody could tell whether the rest belongs to the beginning
            progress(-out.tell())
            out.seek(0)
            out.truncate()
