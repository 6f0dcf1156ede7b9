"""Who may ask: keys from a file, of which only the digests stay in memory."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.storage import disk_errors
from rerank_lab.server.refusals import RequestRefused

_MAX_BYTES = 1_000_000
_SHORTEST = 16


class ApiKeys:
    """The keys that open the API; none at all leaves it open to whoever reaches it."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = tuple(_digest(key) for key in keys)

    @property
    def needed(self) -> bool:
        """Whether a request needs a key."""
        return bool(self._digests)

    def check(self, authorization: str) -> None:
        """Raise RequestRefused (401) unless the header `Authorization` holds one of the keys.

        Every key is compared, each in constant time, so that the time taken tells nothing.
        """
        if not self.needed:
            return
        scheme, _, key = authorization.partition(" ")
        digest = _digest(key.strip() if scheme.lower() == "bearer" else "")
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(matches):
            raise RequestRefused(
                401, "The API key is missing or wrong: send Authorization: Bearer KEY."
            )


def read_keys(path: str) -> ApiKeys:
    """The keys of a file: one a line, at least 16 characters; lines that begin with # are comments.

    Raises:
        InvalidInput: there is no such file, no key in it, or one too short to be safe.
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
    for number, key in numbered:
        if len(key) < _SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidInput(
                f"{file.name}, line {number}: a key has at least {_SHORTEST} characters, letters, "
                "digits and signs of ASCII without spaces.",
                hint="Make one with: openssl rand -hex 32",
            )
    return ApiKeys(key for _, key in numbered)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
