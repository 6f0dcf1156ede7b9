"""Addresses of files elsewhere (`s3://`, `gs://`, `https://`), and which of them may be read."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

from rerank_lab.core.errors import InvalidInput, NotAllowed
from rerank_lab.remote import urls

PLACES = "RERANK_LAB_BUCKETS"
"""The variable that lists the buckets and prefixes that visitors of an app may read."""
_ADDRESS = re.compile(r"(s3|gs|https?)://", re.IGNORECASE)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_EXAMPLE = "Such as s3://bucket/folder/, gs://bucket/corpus.jsonl or https://example.com/docs.csv."
_SHORTEST_SECRET = 8
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SHOWN_CHARS = 300


def is_address(value: object) -> bool:
    """Whether a value names a file elsewhere, not one of this machine."""
    return isinstance(value, str) and _ADDRESS.match(value.strip()) is not None


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """Where a file, or a folder of files, is.

    Attributes:
        scheme: `s3`, `gs`, `https` or `http`.
        place: The bucket; for the web the host, with its port where it names one.
        key: The name inside the bucket as it is; for the web the path as it is encoded.
        query: What stands after the question mark of a web address. It may be a signature that
            opens the file to whoever has it, and is never shown or kept.
    """

    scheme: str
    place: str
    key: str
    query: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The whole address, its query included."""
        bare = f"{self.scheme}://{self.place}/{self.key}"
        return f"{bare}?{self.query}" if self.query else bare

    @property
    def shown(self) -> str:
        """The address for people, files and logs: without its query."""
        bare = f"{self.scheme}://{self.place}/{self.key}"[:_SHOWN_CHARS]
        return f"{bare}?…" if self.query else bare

    @property
    def is_folder(self) -> bool:
        """Whether it is written as a folder: it ends in a slash, or names a bucket alone."""
        return not self.key or self.key.endswith("/")

    @property
    def is_web(self) -> bool:
        """Whether it is read by HTTP, from any server."""
        return self.scheme in ("https", "http")

    @property
    def name(self) -> str:
        """The last part of it, as a file or folder would be called; the bucket or host for none."""
        key = unquote(self.key) if self.is_web else self.key
        return PurePosixPath(key).name or self.place

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be taken out of every message: the query, and the values in it."""
        if not self.query:
            return ()
        values = [value for _, value in parse_qsl(self.query, keep_blank_values=False)]
        return (self.query, *(one for one in values if len(one) >= _SHORTEST_SECRET))


def parse_address(text: str) -> ObjectAddress:
    """The parts of an address. Nothing is asked over the network.

    Raises:
        InvalidInput: It is none, or holds a user name or password, or would cross the network
            unencrypted. The message does not repeat what may be a secret.
    """
    text = text.strip()
    match = _ADDRESS.match(text)
    if match is None:
        raise InvalidInput("This is no address that can be read.", hint=_EXAMPLE)
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise InvalidInput("The address holds control characters.", hint=_EXAMPLE)
    scheme = match[1].lower()
    if scheme in ("https", "http"):
        return _web_address(text)
    place, _, key = text[match.end() :].partition("/")
    if "@" in place:
        raise _has_password()
    if not _BUCKET.fullmatch(place):
        raise InvalidInput(f"The address {scheme}://… names no bucket.", hint=_EXAMPLE)
    return ObjectAddress(scheme, place, key)


def _web_address(text: str) -> ObjectAddress:
    try:
        parts = urlsplit(text)
        port_ok = parts.port is None or 0 < parts.port < 65536
        host = (parts.hostname or "").encode("idna").decode() if parts.hostname else ""
    except (ValueError, UnicodeError):
        raise InvalidInput("The address cannot be read.", hint=_EXAMPLE) from None
    if parts.username is not None or parts.password is not None:
        raise _has_password()
    if not host or not port_ok or " " in text or "\\" in text:
        raise InvalidInput(
            "The address names no host, or holds blanks or backslashes.", hint=_EXAMPLE
        )
    scheme = parts.scheme.lower()
    if scheme == "http" and host not in _LOOPBACK:
        raise InvalidInput(
            f"http://{host} would cross the network unencrypted.",
            hint="Use an address that begins with https://.",
        )
    place = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        place += f":{parts.port}"
    return ObjectAddress(scheme, place, parts.path.lstrip("/"), parts.query)


def _has_password() -> InvalidInput:
    return InvalidInput(
        "The address holds a user name or password, which would be shown and kept with it.",
        hint="Take it out; credentials come from the environment only.",
    )


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What somebody may read.

    Attributes:
        private: Whether addresses of this machine and its network may be read.
        places: Buckets and prefixes that may be read with the credentials of this process, such as
            `s3://bucket/folder/`; None for all.
    """

    private: bool = True
    places: tuple[str, ...] | None = None

    def check(self, address: ObjectAddress) -> None:
        """Raise NotAllowed for a bucket that may not be read. Hosts are checked as they are asked.

        The credentials of this process open more than a visitor may see.
        """
        if address.is_web or self.places is None:
            return
        if not any(_within(address, place) for place in self.places):
            raise NotAllowed(
                f"Visitors of this app may not read {address.scheme}://{address.place} with its "
                "credentials.",
                hint=f"Whoever runs the app can allow it: {PLACES}={address.scheme}://"
                f"{address.place}/, several with blanks between.",
            )


OWN_RULES = AddressRules()
"""Of whoever runs this process: all that its user could read anyway."""


def visitor_rules() -> AddressRules:
    """What a visitor of an app that other machines reach may read, as its operator says."""
    places = tuple(os.environ.get(PLACES, "").split())
    return AddressRules(private=urls.private_allowed(), places=places)


def _within(address: ObjectAddress, place: str) -> bool:
    try:
        allowed = parse_address(place)
    except InvalidInput:
        return False
    if (address.scheme, address.place) != (allowed.scheme, allowed.place):
        return False
    folder = allowed.key if allowed.is_folder else allowed.key + "/"
    return address.key == allowed.key or address.key.startswith(folder)
