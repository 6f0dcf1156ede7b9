"""Files of web servers, by the lab's own way out: addresses are checked, redirects followed by it.

A page of links that ends in a slash is read as a folder, as web servers list them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, MissingExtra
from rerank_lab.remote import urls
from rerank_lab.remote.gather import gather
from rerank_lab.remote.objects.address import AddressRules, ObjectAddress, parse_address
from rerank_lab.remote.objects.store import ObjectStore, ReadInterrupted, RemoteObject
from rerank_lab.remote.redaction import redacted
from rerank_lab.remote.retries import RETRYABLE, TransportError, pause, pause_before

if TYPE_CHECKING:
    from rerank_lab.remote.transport import Incoming

IDLE_S = 30.0
_REDIRECTS = 5
_MOVED = (301, 302, 303, 307, 308)
_TRIES = 4
_PAGE_BYTES = 8 << 20
_MOST_PAGES = 200
_WIDTH = 8
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class WebStore(ObjectStore):
    """One file of a web server, or those that a page of links lists below it."""

    def __init__(self, address: ObjectAddress, rules: AddressRules) -> None:
        super().__init__(address)
        self._rules = rules

    def objects(self, ctx: Context) -> list[RemoteObject]:
        """The file; for an address that ends in a slash, the files that its page links to."""
        if not self.address.is_folder:
            return [self._single(self.address, self.address.name, ctx)]
        files = self._linked(ctx)
        if not files:
            raise InvalidInput(
                f"The page {self.address.shown} links to no files below it.",
                hint="Name a file, such as https://example.com/docs/corpus.jsonl.",
            )

        def look(one: ObjectAddress, inner: Context) -> RemoteObject:
            return self._single(one, unquote(one.key.removeprefix(self.address.key)), inner)

        return gather(files, look, ctx, _WIDTH, lambda _index, _result: None)

    def _single(self, address: ObjectAddress, name: str, ctx: Context) -> RemoteObject:
        """What the server says of a file; one byte is asked for, as not all answer HEAD."""
        with self._tried(address, {"Range": "bytes=0-0"}, ctx) as reply:
            match = _RANGE.fullmatch(reply.headers.get("content-range", ""))
            stated = match[2] if match else reply.headers.get("content-length", "")
            if reply.status == 416:
                stated = reply.headers.get("content-range", "").rpartition("/")[2] or "0"
            return RemoteObject(
                address.shown,
                name,
                int(stated) if stated.isdigit() else None,
                reply.headers.get("etag", ""),
                reply.headers.get("last-modified", ""),
                key=address.key,
            )

    def _linked(self, ctx: Context) -> list[ObjectAddress]:
        """The files below the address, by the links of its page and of those below it."""
        pages, files = [self.address], dict[str, ObjectAddress]()
        seen = {self.address.url}
        while pages and len(seen) <= _MOST_PAGES + len(files):
            page = pages.pop()
            for one in self._links(page, ctx):
                if one.url in seen:
                    continue
                seen.add(one.url)
                if one.is_folder:
                    pages.append(one)
                else:
                    files[one.url] = one
        return sorted(files.values(), key=lambda one: one.key)

    def _links(self, page: ObjectAddress, ctx: Context) -> Iterator[ObjectAddress]:
        """Addresses on one page that lie below it."""
        body = bytearray()
        with self._tried(page, {}, ctx) as reply:
            if "html" not in reply.headers.get("content-type", ""):
                return
            for chunk in reply.chunks:
                body += chunk
                if len(body) > _PAGE_BYTES:
                    raise InvalidInput(
                        f"The page {page.shown} is too long for a list of files.",
                        hint="Name the file itself.",
                    )
        parser = _Links()
        parser.feed(body.decode("utf-8", "replace"))
        base = page.url
        for link in parser.links:
            with suppress(InvalidInput, ValueError):
                target = parse_address(urljoin(base, link).partition("#")[0].partition("?")[0])
                inside = target.url.startswith(base) and target.url != base
                if inside and ".." not in unquote(target.key).split("/"):
                    yield target

    def blocks(self, item: RemoteObject, start: int, ctx: Context) -> Iterator[bytes]:
        """The rest of the file, if it is still the one that was looked at."""
        address = self._address_of(item)
        headers = {"Range": f"bytes={start}-"} if start else {}
        if item.etag and not item.etag.startswith("W/"):
            headers["If-Match"] = item.etag
        elif item.modified:
            headers["If-Unmodified-Since"] = item.modified
        try:
            with self._answer(address, headers, ctx) as reply:
                self._check_same(item, reply)
                skip = self._start(item, reply, start)
                for chunk in reply.chunks:
                    rest = chunk[skip:]
                    skip -= len(chunk) - len(rest)
                    if rest:
                        yield rest
        except TransportError as error:
            raise ReadInterrupted(self.words_of(error)) from None

    def _address_of(self, item: RemoteObject) -> ObjectAddress:
        if item.key == self.address.key:
            return self.address
        return ObjectAddress(self.address.scheme, self.address.place, item.key)

    def _check_same(self, item: RemoteObject, reply: Incoming) -> None:
        if reply.status == 412:
            raise self.changed(item)
        pairs = [(item.etag, reply.headers.get("etag", ""))]
        if not item.etag:
            pairs.append((item.modified, reply.headers.get("last-modified", "")))
        if any(before and now and before != now for before, now in pairs):
            raise self.changed(item)

    def _start(self, item: RemoteObject, reply: Incoming, start: int) -> int:
        """How many bytes of the reply come before `start`; a server may know no ranges."""
        if reply.status == 416:
            raise self.changed(item)
        match = _RANGE.fullmatch(reply.headers.get("content-range", ""))
        begins = int(match[1]) if reply.status == 206 and match else 0
        if begins > start:
            raise ReadInterrupted("the server sent another part of it")
        return start - begins

    @contextmanager
    def _tried(
        self, address: ObjectAddress, headers: Mapping[str, str], ctx: Context
    ) -> Iterator[Incoming]:
        """As `_answer`, asked again where no answer came."""
        for attempt in range(_TRIES):
            try:
                answer = self._answer(address, headers, ctx)
                reply = answer.__enter__()
            except TransportError as error:
                if attempt == _TRIES - 1 or _is_certificate(error):
                    raise self._unreachable(address, error) from None
                pause(pause_before(attempt, error), ctx, address.shown)
                continue
            try:
                yield reply
            finally:
                answer.__exit__(None, None, None)
            return

    @contextmanager
    def _answer(
        self, address: ObjectAddress, headers: Mapping[str, str], ctx: Context
    ) -> Iterator[Incoming]:
        """The reply to one GET, after redirects; each address on the way is checked."""
        try:
            from rerank_lab.remote.transport import receive
        except ImportError as error:
            raise MissingExtra.of("Reading from https://", "cloud") from error
        url, private = address.url, self._rules.private
        for _ in range(_REDIRECTS + 1):
            ctx.checkpoint()
            with receive(url, headers, idle_s=IDLE_S, private=private) as reply:
                if reply.status not in _MOVED:
                    self._check_status(reply, address)
                    yield reply
                    return
                onward = self._redirected(url, reply, address)
                private = private and urls.reaches_private(url)
                url = onward
        raise BackendError(
            f"{address.shown} is redirected more than {_REDIRECTS} times.",
            hint="Give the address where the file itself is.",
        )

    def _redirected(self, url: str, reply: Incoming, address: ObjectAddress) -> str:
        location = urljoin(url, reply.headers.get("location", ""))
        try:
            return parse_address(location).url
        except InvalidInput as error:
            scheme = urlsplit(location).scheme or "nowhere"
            raise InvalidInput(
                f"{address.shown} is redirected to {scheme}://…, which is not read: "
                f"{error.message}",
                hint="Give the address where the file itself is.",
            ) from None

    def _check_status(self, reply: Incoming, address: ObjectAddress) -> None:
        status = reply.status
        if status in (200, 206, 412, 416):
            return
        if status in (401, 403):
            signed = "; a signed address works for a while only" if address.query else ""
            raise self.denied(f"the server answers {status}{signed}")
        if status in (404, 410):
            raise self.missing(address.shown)
        if status in RETRYABLE or status >= 500:
            raise TransportError("status", status=status, headers=reply.headers)
        raise BackendError(
            f"{address.shown}: the server answers {status}.", hint="Check the address."
        )

    def words_of(self, error: TransportError) -> str:
        """Why there was no usable reply."""
        if error.kind == "status":
            return f"the server answers {error.status}"
        words = " ".join(error.body.split()) or "no answer in time"
        return redacted(words, self.address.secrets).rstrip(".")

    def _unreachable(self, address: ObjectAddress, error: TransportError) -> LabError:
        hint = ""
        if _is_certificate(error):
            hint = "Name the file of the authority that signed it in SSL_CERT_FILE."
        failure = self.unreachable(self.words_of(error), hint)
        failure.message = failure.message.replace(self.address.shown, address.shown)
        return failure


def _is_certificate(error: TransportError) -> bool:
    return "certificate" in error.body.lower() or "[ssl" in error.body.lower()


class _Links(HTMLParser):
    """The links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]
