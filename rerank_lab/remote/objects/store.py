"""The contract of a store of objects: what lies at an address, and its bytes from any place on."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, NotAllowed
from rerank_lab.remote.objects.address import ObjectAddress
from rerank_lab.remote.redaction import redacted

BLOCK_BYTES = 4 << 20
"""How much of an object is in memory at a time."""
CALL_S = 60.0
"""Seconds that a store may take for one answer, its own retries included."""
MAX_OBJECTS = 200_000


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """A file elsewhere, as it was when it was looked at.

    Attributes:
        address: For people; without a query.
        name: Its path below the address that was asked for, with slashes; the file's name for one
            file. As the store has it: not yet checked to be a path of this machine.
        size: In bytes; None where the server does not say.
        etag: The store's mark of this content, as it gives it; "" for none.
        modified: When it was last changed, as the store writes it; "" when unknown.
        generation: Google's number of this version; "" elsewhere.
        key: Its whole name in the store, or path on the server; not stored.
    """

    address: str
    name: str
    size: int | None
    etag: str = ""
    modified: str = ""
    generation: str = ""
    key: str = ""

    @property
    def version(self) -> str:
        """What changes with the content: generation, ETag, or time and size; "" when unknown."""
        stated = f"{self.modified} {self.size}" if self.modified and self.size is not None else ""
        return self.generation or self.etag or stated

    def to_json(self) -> dict[str, Any]:
        """What is kept with a corpus; no secret is in it."""
        return {name: value for name, value in asdict(self).items() if name != "key"}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RemoteObject:
        """The object back from `to_json`. Raises TypeError or KeyError for anything else."""
        texts = {name: str(stored.get(name, "")) for name in ("etag", "modified", "generation")}
        size = stored.get("size")
        return cls(
            str(stored["address"]),
            str(stored["name"]),
            None if size is None else int(size),
            **texts,
        )


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """Where files of this machine were brought from, and what they were then.

    Attributes:
        address: What was asked for, without a query.
        signed: Whether it had a query, without which it cannot be asked again.
        objects: What lay there, in the order of their names.
    """

    address: str
    signed: bool
    objects: tuple[RemoteObject, ...]

    @property
    def version(self) -> str:
        """SHA-256 over names and versions: another one as soon as one object is another."""
        lines = sorted(f"{one.name}\n{one.version or one.size}" for one in self.objects)
        text = "\n\n".join(lines)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What is kept with a corpus; no secret is in it."""
        objects = [one.to_json() for one in self.objects]
        return {**self.summary(), "objects": objects}

    def summary(self) -> dict[str, Any]:
        """The same in a few values, however many objects there are."""
        return {
            "address": self.address,
            "signed": self.signed,
            "files": len(self.objects),
            "bytes": sum(one.size or 0 for one in self.objects),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> FileOrigin:
        """The origin back from `to_json`. Raises TypeError or KeyError for anything else."""
        objects = tuple(RemoteObject.from_json(one) for one in stored["objects"])
        return cls(str(stored["address"]), bool(stored["signed"]), objects)


class ReadInterrupted(Exception):
    """A read that broke off and can go on where it stopped. The text says why, without secrets."""


class ObjectStore(ABC):
    """Reads one address. Errors are LabErrors in words, except `ReadInterrupted`."""

    attempts = 5
    """How often in a row a read may break off without a new byte."""

    def __init__(self, address: ObjectAddress) -> None:
        self.address = address

    @abstractmethod
    def objects(self, ctx: Context) -> list[RemoteObject]:
        """The object at the address, or those below it, in the order of their names.

        Raises:
            LabError: There is none, or it may not be read.
        """

    @abstractmethod
    def blocks(self, item: RemoteObject, start: int, ctx: Context) -> Iterator[bytes]:
        """Its bytes from `start` on, of the version that was listed and of no other.

        Raises:
            ReadInterrupted: The connection broke off.
            LabError: It has changed, is gone, or may not be read.
        """

    def words(self, error: BaseException) -> str:
        """What a client says, on one line, without the secrets of the address."""
        text = " ".join(str(error).split()) or type(error).__name__
        return redacted(text[:400], self.address.secrets).rstrip(".")

    def missing(self, what: str = "") -> InvalidInput:
        """The error for an address where there is nothing."""
        return InvalidInput(
            f"There is nothing at {what or self.address.shown}.",
            hint="Check the address; a folder ends in a slash.",
        )

    def denied(self, reason: str) -> LabError:
        """The error for an address that may not be read."""
        return NotAllowed(
            f"{self.address.shown} may not be read: {reason}.",
            hint="Check that the credentials in the environment may list and read it.",
        )

    def unreachable(self, reason: str, hint: str = "") -> BackendError:
        """The error for a store that does not answer."""
        return BackendError(
            f"{self.address.shown} cannot be reached: {reason}.",
            hint=hint or "Check the address and the network connection.",
            retryable=True,
        )

    def changed(self, item: RemoteObject) -> BackendError:
        """The error for an object that is another one than when the read began."""
        return BackendError(
            f"{item.address} was changed while it was read; nothing of it is used.",
            hint="Start again: then the new one is read from its beginning.",
            retryable=True,
        )


class BucketStore(ObjectStore):
    """Objects of one bucket, whose listing comes in pages."""

    @abstractmethod
    def _single(self, ctx: Context) -> RemoteObject | None:
        """The object that has exactly the key of the address; None where there is none."""

    @abstractmethod
    def _page(self, ctx: Context, prefix: str, token: str) -> tuple[list[RemoteObject], str]:
        """Objects whose keys begin with `prefix`, from a token on, and the token of what follows.

        A token is "" for the first page, and for no more.
        """

    @abstractmethod
    def _failure(self, error: Exception) -> LabError:
        """What the client raised, in words."""

    def objects(self, ctx: Context) -> list[RemoteObject]:
        """The object of that key; where there is none, those below it."""
        try:
            if not self.address.is_folder:
                single = self._single(ctx)
                if single is not None:
                    return [single]
            listed = self._listed(ctx)
        except Exception as error:
            raise self._failure(error) from error
        if not listed:
            raise self.missing()
        return listed

    def _listed(self, ctx: Context) -> list[RemoteObject]:
        prefix = self.address.key
        if not self.address.is_folder:
            prefix += "/"
        items: list[RemoteObject] = []
        token = ""
        while True:
            page, token = self._page(ctx, prefix, token)
            items += page
            if len(items) > MAX_OBJECTS:
                raise too_many(self.address)
            ctx.report(f"Listing {self.address.shown}", len(items))
            if not token:
                return [one for one in items if one.name and not one.name.endswith("/")]


def too_many(address: ObjectAddress) -> InvalidInput:
    """The error for a folder that nobody means to read whole."""
    return InvalidInput(
        f"There are over {MAX_OBJECTS:,} files below {address.shown}.",
        hint="Name a folder inside it, or put the documents into one JSONL or Parquet file.",
    )
