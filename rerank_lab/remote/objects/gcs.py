"""Google Cloud Storage by gcsfs; credentials as every Google client finds them, else none."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, MissingExtra
from rerank_lab.remote.gather import watched
from rerank_lab.remote.objects.store import (
    BLOCK_BYTES,
    CALL_S,
    BucketStore,
    ReadInterrupted,
    RemoteObject,
)
from rerank_lab.remote.retries import TransportError

T = TypeVar("T")
_EMULATOR = "STORAGE_EMULATOR_HOST"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_NO_CREDENTIALS = (
    "Name the file of a service account in GOOGLE_APPLICATION_CREDENTIALS, or sign in with "
    "gcloud auth application-default login."
)


class GCSStore(BucketStore):
    """Objects of one bucket. Without credentials it is read as anybody may."""

    attempts = 2  # each of them is six of the client's, which wait up to half a minute

    @cached_property
    def _files(self) -> Any:
        try:
            from gcsfs.core import GCSFileSystem
            from google import auth
        except ImportError as error:
            raise MissingExtra.of("Reading from gs://", "cloud") from error
        for name in ("gcsfs", "google.auth"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        emulator = os.environ.get(_EMULATOR, "")
        token: Any = "anon"
        if not emulator:
            with suppress(auth.exceptions.DefaultCredentialsError):
                token = auth.default(scopes=[_SCOPE])[0]
        return GCSFileSystem(
            token=token,
            access="read_only",
            endpoint_url=emulator or None,
            skip_instance_cache=True,
            use_listings_cache=False,
            requests_timeout=30,
        )

    def _called(self, ctx: Context, call: Callable[[Any], T]) -> T:
        """One call of the client, in bounded time whatever its own retries do."""
        return watched(lambda: call(self._files), ctx, CALL_S)

    def _single(self, ctx: Context) -> RemoteObject | None:
        bucket, key = self.address.place, self.address.key

        def about(files: Any) -> Any:
            return files.call("GET", "b/{}/o/{}", bucket, key, json_out=True)

        try:
            return self._of_resource(self._called(ctx, about), self.address.name)
        except FileNotFoundError:
            return None

    def _page(self, ctx: Context, prefix: str, token: str) -> tuple[list[RemoteObject], str]:
        def page(files: Any) -> Any:
            call = {"prefix": prefix or None, "pageToken": token or None, "json_out": True}
            return files.call("GET", "b/{}/o", self.address.place, **call)

        answer = self._called(ctx, page)
        resources = answer.get("items", ())
        objects = [
            self._of_resource(one, str(one["name"]).removeprefix(prefix)) for one in resources
        ]
        return objects, str(answer.get("nextPageToken") or "")

    def _of_resource(self, resource: Any, name: str) -> RemoteObject:
        key = str(resource["name"])
        return RemoteObject(
            f"gs://{self.address.place}/{key}",
            name,
            int(resource.get("size", 0)),
            str(resource.get("etag") or ""),
            str(resource.get("updated") or ""),
            str(resource.get("generation") or ""),
            key=key,
        )

    def blocks(self, item: RemoteObject, start: int, ctx: Context) -> Iterator[bytes]:
        """By ranges, each of the generation that was listed: another one is not there any more."""
        try:
            while start < (item.size or 0):
                headers, block = self._called(ctx, self._range(item, start))
                generation = headers.get("x-goog-generation", item.generation)
                if generation != item.generation:
                    raise self.changed(item)
                if not block:
                    raise ReadInterrupted("it ended early")
                start += len(block)
                yield bytes(block)
        except (ReadInterrupted, LabError):
            raise
        except (FileNotFoundError, FileExistsError) as error:
            raise self.changed(item) from error
        except Exception as error:
            failure = self._failure(error)
            if isinstance(failure, BackendError) and failure.retryable:
                raise ReadInterrupted(self.words(error)) from error
            raise failure from error

    def _range(self, item: RemoteObject, start: int) -> Callable[[Any], Any]:
        def read(files: Any) -> Any:
            last = min(start + BLOCK_BYTES, item.size or 0) - 1
            return files.call(
                "GET",
                files.url(f"{self.address.place}/{item.key}").partition("?")[0],
                headers={"Range": f"bytes={start}-{last}", "Accept-Encoding": "gzip"},
                alt="media",
                generation=item.generation or None,
            )

        return read

    def _failure(self, error: Exception) -> LabError:
        """What gcsfs raised, in words."""
        from google.auth.exceptions import GoogleAuthError

        if isinstance(error, LabError):
            return error
        if isinstance(error, TransportError):
            return self.unreachable(error.body or "no answer in time")
        words = self.words(error)
        code = str(getattr(error, "code", ""))
        if isinstance(error, FileNotFoundError):
            return InvalidInput(
                f"There is no bucket gs://{self.address.place}.", hint="Check its name."
            )
        if isinstance(error, GoogleAuthError):
            return self.denied(words)
        if code in ("401", "403") or words.startswith("Forbidden"):
            return self._denied(words.removeprefix("Forbidden: "))
        return self.unreachable(words)

    def _denied(self, words: str) -> LabError:
        denial = self.denied(words)
        if self._files.token == "anon":
            denial = self.denied("there are no credentials, and it is not public")
            denial.hint = _NO_CREDENTIALS
        return denial
