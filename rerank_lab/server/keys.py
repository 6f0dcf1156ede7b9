"""Who may ask: keys from a file, of which only the digests stay in memory."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Set
from typing import NamedTuple

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.storage import disk_errors
from rerank_lab.server.refusals import RequestRefused

_MAX_BYTES = 1_000_000
_SHORTEST, _LONGEST_NAME = 16, 60
_HASHED = "sha256:"
_HEX = re.compile(r"[0-9a-f]{64}")
RERANK, SEARCH, METRICS = "rerank", "search", "metrics"
ACTIONS = frozenset({RERANK, SEARCH, METRICS})
"""What a key may open."""


class ApiKey(NamedTuple):
    """One key that opens the API, without its text.

    Attributes:
        digest: SHA-256 of the key.
        name: What the log calls it; "" for none.
        may: What it opens, of `ACTIONS`.
    """

    digest: bytes
    name: str = ""
    may: Set[str] = ACTIONS

    def check(self, action: str) -> None:
        """Raise RequestRefused (403) unless it opens this; "" is what every key opens."""
        if action and action not in self.may:
            raise RequestRefused(403, f"This API key does not open {action} here.")


class ApiKeys:
    """The keys that open the API; none at all leaves it open to whoever reaches it."""

    def __init__(self, keys: Iterable[str | ApiKey] = ()) -> None:
        self._keys = tuple(ApiKey(_digest(key)) if isinstance(key, str) else key for key in keys)

    @property
    def needed(self) -> bool:
        """Whether a request needs a key."""
        return bool(self._keys)

    def key_of(self, authorization: str) -> ApiKey:
        """The key in the header `Authorization`; one that opens all where none is needed.

        Every key is compared, each in constant time, so that the time taken tells nothing.

        Raises:
            RequestRefused: (401) it is none of the keys.
        """
        if not self.needed:
            return ApiKey(b"")
        scheme, _, text = authorization.partition(" ")
        digest = _digest(text.strip() if scheme.lower() == "bearer" else "")
        matches = [key for key in self._keys if hmac.compare_digest(digest, key.digest)]
        if not matches:
            raise RequestRefused(
                401, "The API key is missing or wrong: send Authorization: Bearer KEY."
            )
        return matches[0]


def read_keys(path: str) -> ApiKeys:
    """The keys of a file, one a line: `KEY [NAME [ACTIONS]]`; lines that begin with # are comments.

    KEY has at least 16 characters, or is `sha256:` and the digest of one; ACTIONS are some of
    `rerank,search,metrics`, by default all.

    Raises:
        InvalidInput: there is no such file, no key in it, or a line that is not understood.
    """
    file = user_path(path)
    if not file.is_file():
        raise InvalidInput(f"There is no key file {path!r}.", hint="Check the path.")
    with disk_errors(file):
        data = file.read_bytes()[: _MAX_BYTES + 1]
    try:
        lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        lines = []
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not numbered or len(data) > _MAX_BYTES:
        raise InvalidInput(
            f"The key file {file.name} holds no keys.", hint="Write one key a line, as UTF-8 text."
        )
    return ApiKeys([_key_of(line, f"{file.name}, line {number}") for number, line in numbered])


def _key_of(line: str, place: str) -> ApiKey:
    """What a line says; messages do not repeat it."""
    text, name, actions, *more = [*line.split(), "", ""]
    digest = text.removeprefix(_HASHED).lower() if text.startswith(_HASHED) else ""
    if digest:
        if not _HEX.fullmatch(digest):
            raise InvalidInput(
                f"{place}: after sha256: stand the 64 hexadecimal digits of a digest.",
                hint='Make them with: printf %s "$KEY" | sha256sum',
            )
    elif len(text) < _SHORTEST or not text.isascii() or not text.isprintable():
        raise InvalidInput(
            f"{place}: a key has at least {_SHORTEST} characters, letters, digits and signs of "
            "ASCII without spaces.",
            hint="Make one with: openssl rand -hex 32",
        )
    may = set(actions.split(",")) if actions else ACTIONS
    if not may <= ACTIONS or any(more) or not (name.isprintable() and len(name) <= _LONGEST_NAME):
        raise InvalidInput(
            f"{place}: after the key stand its name and what it opens, of "
            f"{','.join(sorted(ACTIONS))}, without spaces.",
            hint="For example: KEY shop rerank,search",
        )
    return ApiKey(bytes.fromhex(digest) if digest else _digest(text), name, may)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
