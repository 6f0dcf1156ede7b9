"""Which key goes to which address, decided anew for every query and kept nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, MissingKey
from rerank_lab.remote import urls
from rerank_lab.remote.providers import Provider


@dataclass(frozen=True, slots=True)
class Access:
    """Where one query's requests go and with which key ("" for none).

    `own` says that the address comes from the data. `secrets` must never be shown.
    """

    base: str
    key: str
    own: bool
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Access(base={self.base!r})"


def replayed(ctx: Context) -> bool:
    """Whether answers come from a recording, so that nothing is sent and no key is needed."""
    return ctx.recording is not None and ctx.recording.replaying


def access_of(
    provider: Provider, base_of: Callable[[str], str], ctx: Context, typed: str = ""
) -> Access:
    """Key and address for one query.

    A key of the server's environment goes to the provider's own hosts only, and to those that the
    operator names: else any visitor could have it sent to an address of theirs.

    Args:
        provider: Whose key is used.
        base_of: Gives the address for a key; it may raise InvalidInput.
        ctx: Holds the keys of the session. While it replays a recording, no key is needed and no
            address refused, so that a recording opens on any machine.
        typed: The address that somebody typed, if any.

    Raises:
        MissingKey: No key may be used; the hint says what to do.
        InvalidInput: The key or the address cannot be used.
    """
    if replayed(ctx):
        return Access(typed or provider.base_url or "http://recording", "", False, ())
    key = checked_key(provider.key, ctx, required=not provider.key_optional)
    base = base_of(key)
    host = urls.host_of(base)
    own = host in provider.hosts
    entered = bool(ctx.secrets.get(provider.key, "").strip())
    if key and not (entered or own or host in urls.key_hosts()):
        if not provider.key_optional:
            raise MissingKey(
                f"The key in the environment ({provider.key}) is not sent to {host}, which is not "
                f"{provider.title}'s own address.",
                hint=f"Name the host in the environment variable {urls.KEY_HOSTS}, or enter a "
                "key for it on the Models page of the app.",
            )
        key = ""
    if key and base.startswith("http://") and not urls.is_private(base):
        raise InvalidInput(
            f"The key would cross the network unencrypted to {host}.",
            hint="Use an address that begins with https://.",
        )
    return Access(base, key, own, (key,) if key else ())


def checked_key(variable: str, ctx: Context, *, required: bool) -> str:
    """The key of that name. Raises MissingKey, or InvalidInput when no header can carry it."""
    key = ctx.secret(variable, required=required)
    if not all(32 < ord(char) < 127 for char in key):
        raise InvalidInput(
            f"The key in {variable} holds characters that no key has.",
            hint="Copy it again, without blanks or line breaks.",
        )
    return key


def server_of(url: str) -> str:
    """Host and port: two servers on one host have limits of their own."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or parts.scheme}"


def headers_of(provider: Provider, key: str) -> dict[str, str]:
    """The headers of a request; the only place where a key is put into one."""
    auth = {provider.auth_header: provider.auth_prefix + key} if key else {}
    return {**provider.headers, **auth}
