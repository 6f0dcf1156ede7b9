"""Amazon S3 and what speaks its protocol, by s3fs; credentials as every AWS client finds them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
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
_NO_CREDENTIALS = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, in the environment."
)


class S3Store(BucketStore):
    """Objects of one bucket. Without credentials it is read as anybody may."""

    @cached_property
    def _signed(self) -> Any:
        return self._files(anonymous=False)

    @cached_property
    def _anonymous(self) -> Any:
        return self._files(anonymous=True)

    def _files(self, *, anonymous: bool) -> Any:
        try:
            import s3fs
        except ImportError as error:
            raise MissingExtra.of("Reading from s3://", "cloud") from error
        for name in ("s3fs", "botocore", "aiobotocore"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        timeouts = {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 1}}
        files = s3fs.S3FileSystem(
            anon=anonymous,
            skip_instance_cache=True,
            use_listings_cache=False,
            config_kwargs=timeouts,
        )
        files.retries = 2  # what breaks off goes on where it stopped, one level up
        return files

    def _called(self, ctx: Context, call: Callable[[Any], T]) -> T:
        """One call of the client, in bounded time; anonymous where there are no credentials."""
        from botocore.exceptions import NoCredentialsError

        def work() -> T:
            if "_anonymous" not in self.__dict__:
                try:
                    return call(self._signed)
                except NoCredentialsError:
                    pass
            return call(self._anonymous)

        return watched(work, ctx, CALL_S)

    def _single(self, ctx: Context) -> RemoteObject | None:
        bucket, key = self.address.place, self.address.key

        def head(files: Any) -> Any:
            return files.call_s3("head_object", Bucket=bucket, Key=key)

        try:
            about = self._called(ctx, head)
        except FileNotFoundError:
            return None  # perhaps a folder without its slash; listing says what a HEAD cannot
        return RemoteObject(
            self.address.shown,
            self.address.name,
            int(about["ContentLength"]),
            str(about.get("ETag", "")),
            _written(about.get("LastModified")),
            key=key,
        )

    def _page(self, ctx: Context, prefix: str, token: str) -> tuple[list[RemoteObject], str]:
        def page(files: Any) -> Any:
            call = {"Bucket": self.address.place, "Prefix": prefix}
            if token:
                call["ContinuationToken"] = token
            return files.call_s3("list_objects_v2", **call)

        answer = self._called(ctx, page)
        objects = [self._of_listing(one, prefix) for one in answer.get("Contents", ())]
        return objects, str(answer["NextContinuationToken"]) if answer.get("IsTruncated") else ""

    def _of_listing(self, entry: Any, prefix: str) -> RemoteObject:
        key = str(entry["Key"])
        return RemoteObject(
            f"s3://{self.address.place}/{key}",
            key.removeprefix(prefix),
            int(entry["Size"]),
            str(entry.get("ETag", "")),
            _written(entry.get("LastModified")),
            key=key,
        )

    def blocks(self, item: RemoteObject, start: int, ctx: Context) -> Iterator[bytes]:
        """By ranges, each only if the object still has the ETag that was listed."""
        try:
            stream = self._called(ctx, lambda files: self._opened(files, item))
            if item.etag and stream.details.get("ETag") != item.etag:
                raise self.changed(item)
            stream.seek(start)
            while start < (item.size or 0):
                block = watched(lambda: stream.read(BLOCK_BYTES), ctx, CALL_S)
                if not block:
                    raise ReadInterrupted("it ended early")
                start += len(block)
                yield block
        except (ReadInterrupted, LabError):
            raise
        except FileNotFoundError as error:
            raise self.changed(item) from error
        except Exception as error:
            raise self._read_failure(error, item) from error

    def _opened(self, files: Any, item: RemoteObject) -> Any:
        path = f"{self.address.place}/{item.key}"
        return files.open(path, "rb", block_size=BLOCK_BYTES, cache_type="none")

    def _read_failure(self, error: Exception, item: RemoteObject) -> Exception:
        from s3fs.utils import FileExpired

        if isinstance(error, FileExpired):
            return self.changed(item)
        failure = self._failure(error)
        if isinstance(failure, BackendError) and failure.retryable:
            return ReadInterrupted(self.words(error))
        return failure

    def _failure(self, error: Exception) -> LabError:
        """What s3fs or botocore raised, in words."""
        import aiohttp
        from botocore import exceptions

        if isinstance(error, LabError):
            return error
        words = self.words(error)
        if isinstance(error, FileNotFoundError):
            no_bucket = "bucket" in words.lower()
            what = f"s3://{self.address.place}" if no_bucket else ""
            return InvalidInput(
                f"There is no bucket {what}." if no_bucket else self.missing().message,
                hint="Check the name of the bucket, and that AWS_ENDPOINT_URL is that of its store."
                if no_bucket
                else self.missing().hint,
            )
        if isinstance(error, PermissionError):
            return self._denied(words)
        if isinstance(error, exceptions.ParamValidationError | ValueError):
            return InvalidInput(f"{self.address.shown} cannot be read: {words}.", hint="Check it.")
        if isinstance(error, TransportError):
            return self.unreachable(error.body or "no answer in time")
        if isinstance(error, exceptions.ConnectionError):
            return self.unreachable(words, _connection_hint(words))
        if isinstance(error, exceptions.BotoCoreError | aiohttp.ClientError | OSError):
            return self.unreachable(words)
        return BackendError(f"{self.address.shown}: {words}.", hint="Try it again.")

    def _denied(self, words: str) -> LabError:
        denial = self.denied(words)
        if key_id := _key_id():
            denial.message = (
                f"{self.address.shown} in the bucket {self.address.place} may not be read with the "
                f"access key {key_id}: {words}."
            )
            denial.hint = (
                "Let whoever owns the bucket allow s3:ListBucket and s3:GetObject to that key, or "
                "use another one (AWS_ACCESS_KEY_ID, AWS_PROFILE)."
            )
        if "_anonymous" in self.__dict__:
            reason = "there are no credentials in the environment, and it is not public"
            denial = self.denied(reason)
            denial.hint = _NO_CREDENTIALS
        return denial


def _key_id() -> str:
    """The id of the access key that the environment gives, which is no secret; "" for none."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        credentials = Session().get_credentials()
        return str(credentials.access_key) if credentials else ""
    except BotoCoreError:
        return ""


def _connection_hint(words: str) -> str:
    if "ssl" in words.lower() or "certificate" in words.lower():
        return "Name the file of the authority that signed its certificate in AWS_CA_BUNDLE."
    return "Check the network, the region (AWS_DEFAULT_REGION) and AWS_ENDPOINT_URL if it is set."


def _written(moment: object) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else ""
