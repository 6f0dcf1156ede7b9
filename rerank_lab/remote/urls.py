"""Which addresses may be called: a base URL typed by a visitor must not reach what is private.

The name is resolved and checked before every request, and the request then goes to the very
address that was checked, so that a name that resolves differently the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from rerank_lab.core.errors import BackendError, InvalidInput

ALLOW_PRIVATE = "RERANK_LAB_ALLOW_PRIVATE_URLS"
KEY_HOSTS = "RERANK_LAB_KEY_HOSTS"
_EXAMPLE = "Give an address such as https://rerank.example.com/v1, without user name or query."


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address. `ip` is where to connect, "" when the name may be resolved freely."""

    scheme: str
    host: str
    port: int
    ip: str


def private_allowed() -> bool:
    """Whether whoever runs this server allows addresses of its own network."""
    return os.environ.get(ALLOW_PRIVATE, "").strip().lower() in ("1", "true", "yes")


def check_form(url: str) -> SplitResult:
    """The parts of a well-formed base URL. Raises InvalidInput; never looks the name up.

    The message does not repeat the URL: a user name or query in it may hold a secret.
    """
    try:
        parts = urlsplit(url.strip())
        port_ok = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        raise InvalidInput("The base URL cannot be read.", hint=_EXAMPLE) from None
    problems = []
    if parts.scheme not in ("http", "https"):
        problems.append("it must begin with http:// or https://")
    if not parts.hostname or not port_ok:
        problems.append("it names no host")
    if parts.username is not None or parts.password is not None:
        problems.append("it must not hold a user name or password")
    if parts.query or parts.fragment:
        problems.append("it must not hold a query or fragment")
    if any(c.isspace() or ord(c) < 32 or c == "\\" for c in url.strip()):
        problems.append("it must not hold blanks, control characters or backslashes")
    if problems:
        raise InvalidInput(
            f"The base URL cannot be used: {'; '.join(problems)}.", hint=_EXAMPLE, problems=problems
        )
    if not private_allowed():
        literal = _literal(parts.hostname or "")
        if literal is not None and not _public(literal):
            raise _refused(parts.hostname or "")
    return parts


def check(url: str) -> Target:
    """Resolve the host of a full URL and refuse every address that is not public.

    Raises InvalidInput for a refused one and BackendError (retryable) when no address is found.
    """
    check_form(url)
    return resolved(url, private=private_allowed())


def resolved(url: str, *, private: bool) -> Target:
    """The target of a full URL, whose host has public addresses only unless `private` ones may be.

    Raises:
        InvalidInput: An address of the host is not public.
        BackendError: No address is known (retryable).
    """
    target = unchecked(url)
    if private:
        return target
    addresses = _addresses(target)
    if not all(_public(ipaddress.ip_address(address)) for address in addresses):
        raise _refused(target.host)
    return Target(target.scheme, target.host, target.port, addresses[0])


def reaches_private(url: str) -> bool:
    """Whether an address of the host is not public. Raises BackendError when none is known."""
    addresses = _addresses(unchecked(url))
    return not all(_public(ipaddress.ip_address(address)) for address in addresses)


def _addresses(target: Target) -> list[str]:
    host = target.host
    try:
        entries = socket.getaddrinfo(host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise BackendError(
            f"The host {host} cannot be found ({fault}).",
            hint="Check the base URL and the network connection.",
            retryable=True,
        ) from None
    return [str(entry[4][0]).split("%")[0] for entry in entries]


def unchecked(url: str) -> Target:
    """The target of an address that is known to be good."""
    parts = urlsplit(url)
    port = parts.port or default_port(parts.scheme)
    return Target(parts.scheme, parts.hostname or "", port, "")


def host_of(url: str) -> str:
    """The host of an address in lower case, "" when it names none."""
    return (urlsplit(url).hostname or "").lower()


def path_of(url: str) -> str:
    """The path of an address, percent-decoded: the part of it that recordings are found by."""
    return unquote(urlsplit(url).path)


def default_port(scheme: str) -> int:
    """The port of an address that names none."""
    return 443 if scheme == "https" else 80


def is_private(url: str) -> bool:
    """Whether the host is plainly this machine or its network, judged by its form alone."""
    host = urlsplit(url).hostname or ""
    literal = _literal(host)
    if literal is not None:
        return not _public(literal)
    return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def joined(base: str, path: str) -> str:
    """`base` and `path` as one URL; a version that both name, such as /v1, is written once."""
    base = base.strip().rstrip("/")
    first = path.split("/")[1]
    if first in ("v1", "v2") and base.endswith("/" + first):
        base = base[: -len(first) - 1]
    return base + path


def key_hosts() -> set[str]:
    """Further hosts to which keys of the environment may be sent, as the operator says."""
    return {h.strip().lower() for h in os.environ.get(KEY_HOSTS, "").split(",") if h.strip()}


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # Old notations such as 127.1, 0x7f.1 and 2130706433 that a resolver would still accept.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _public(inner)
    return address.is_global and not address.is_multicast


def _refused(host: str) -> InvalidInput:
    return InvalidInput(
        f"The address {host} belongs to this machine, a private network or a metadata service.",
        hint=f"Whoever runs this app can allow such addresses by setting {ALLOW_PRIVATE}=1.",
    )
