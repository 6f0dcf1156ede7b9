"""AWS Bedrock through boto3: signed requests, one query each, results page by page."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from rerank_lab.components.registry import Param
from rerank_lab.core.context import Context, Response
from rerank_lab.core.errors import InvalidInput, MissingKey
from rerank_lab.remote import urls
from rerank_lab.remote.access import Access, access_of, checked_key
from rerank_lab.remote.errors import Fault
from rerank_lab.remote.providers import providers
from rerank_lab.rerankers.hosted.base import Call, HostedReranker
from rerank_lab.rerankers.hosted.options import hosted_info
from rerank_lab.rerankers.hosted.responses import Answer, answer_of

KEY_ID, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_MAX_PAGES = 100
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}")
_making = threading.Lock()


class Bedrock(HostedReranker):
    """Keys are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where needed, AWS_SESSION_TOKEN.

    No profile, instance role or metadata service is ever asked: a visitor must not act with the
    rights of the machine that runs the app.
    """

    provider = providers()["bedrock"]
    modules = ("boto3", "botocore.config")
    info = hosted_info(
        "bedrock",
        Param("region", "us-east-1", "AWS region that offers the model.", label="Region"),
        summary="Rerank models on AWS Bedrock; a model name or an ARN.",
    )

    def base_url(self, key: str = "") -> str:
        given = str(self.options["base_url"]).strip()
        return super().base_url(key) if given else self._own_base()

    def access(self, ctx: Context) -> Access:
        if ctx.recording is not None and ctx.recording.replaying:
            return super().access(ctx)
        given = bool(str(self.options["base_url"]).strip())
        found = access_of(self.provider, self.base_url, ctx) if given else self._own_access(ctx)
        key_id, token = self._companions(ctx)
        return Access(found.base, found.key, found.own, (found.key, key_id, token))

    @staticmethod
    def _companions(ctx: Context) -> tuple[str, str]:
        """Key id and token from where the secret came: those of two accounts are never mixed."""
        if not ctx.secrets.get(SECRET, "").strip():
            return checked_key(KEY_ID, ctx, required=True), checked_key(TOKEN, ctx, required=False)
        if not ctx.secrets.get(KEY_ID, "").strip():
            raise MissingKey(
                f"{SECRET} is entered without {KEY_ID}.",
                hint="Enter both on the Models page; they belong together.",
            )
        typed = bool(ctx.secrets.get(TOKEN, "").strip())
        token = checked_key(TOKEN, ctx, required=False) if typed else ""
        return checked_key(KEY_ID, ctx, required=True), token

    def send(self, call: Call) -> Answer:
        recording, body = call.ctx.recording, self.body(call.query, call.texts)
        digest = ""
        if recording is not None:
            from rerank_lab.remote.recordings import request_digest
            from rerank_lab.remote.transport import played, redacted_exchange

            place = str(self.options["base_url"]) or str(self.options["region"])
            digest = request_digest(self.info.name, place, body)
            if recording.replaying:
                payload = json.loads(played(recording, digest, self.info.name).body)
                return answer_of(payload, len(call.texts), self.provider)
        payload = {"results": self._pages(call, body)}
        if recording is not None:
            exchange = Response(200, {}, json.dumps(payload))
            recording.record(
                digest, self.info.name, redacted_exchange(exchange, call.access.secrets)
            )
        return answer_of(payload, len(call.texts), self.provider)

    def body(self, query: str, texts: Sequence[str]) -> dict[str, Any]:
        """The arguments of the operation Rerank."""
        arn = self.model
        if not arn.startswith("arn:"):
            arn = f"arn:aws:bedrock:{self.options['region']}::foundation-model/{arn}"
        return {
            "queries": [{"type": "TEXT", "textQuery": {"text": query}}],
            "sources": [
                {
                    "type": "INLINE",
                    "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}},
                }
                for text in texts
            ],
            "rerankingConfiguration": {
                "type": "BEDROCK_RERANKING_MODEL",
                "bedrockRerankingConfiguration": {
                    "numberOfResults": len(texts),
                    "modelConfiguration": {"modelArn": arn},
                },
            },
        }

    def _own_base(self) -> str:
        region = str(self.options["region"])
        if not _REGION.fullmatch(region):
            raise InvalidInput(
                f"{region!r} is not the name of an AWS region.",
                hint="Use one such as us-east-1 or eu-central-1.",
            )
        return f"https://bedrock-agent-runtime.{self.options['region']}.amazonaws.com"

    def _own_access(self, ctx: Context) -> Access:
        key = checked_key(SECRET, ctx, required=True)
        return Access(self._own_base(), key, True, (key,))

    def _pages(self, call: Call, body: dict[str, Any]) -> list[Any]:
        from botocore import exceptions  # type: ignore[import-untyped]
        from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

        results: list[Any] = []
        token: dict[str, str] = {}
        try:
            client = self._client(call)
            for _ in range(_MAX_PAGES):
                page = client.rerank(**body, **token)
                if "results" not in page:
                    # boto3 makes nothing of a reply that is cut off or not JSON, without a word.
                    raise Fault("connection", body="the reply holds no readable results")
                results += page["results"]
                if not page.get("nextToken"):
                    return results
                token = {"nextToken": page["nextToken"]}
                call.ctx.checkpoint()
        except exceptions.ClientError as error:
            meta = error.response.get("ResponseMetadata", {})
            status = int(meta.get("HTTPStatusCode", 0)) or 400
            words = error.response.get("Error", {})
            shown = {"message": f"{words.get('Code', '')}: {words.get('Message', '')}"}
            raise Fault(
                "status", status=status, headers=meta.get("HTTPHeaders"), body=json.dumps(shown)
            ) from None
        except (exceptions.ReadTimeoutError, exceptions.ConnectTimeoutError) as error:
            raise Fault("timeout", body=str(error)) from None
        except exceptions.BotoCoreError as error:
            raise Fault("connection", body=str(error)) from None
        except (TypeError, AttributeError, ValueError, OverflowError, ResponseParserError) as odd:
            # boto3 expects the shapes of its description and trips over any other.
            raise Fault("connection", body=f"the reply cannot be read ({odd})") from None
        raise Fault("connection", body=f"more than {_MAX_PAGES} pages of results")

    def _client(self, call: Call) -> Any:
        from botocore.config import Config  # type: ignore[import-untyped]

        if not call.access.own:
            urls.check(call.access.base)
        secret, key_id, token = call.access.secrets
        config = Config(
            connect_timeout=min(10.0, call.timeout_s),
            read_timeout=call.timeout_s,
            retries={"total_max_attempts": 1},
        )
        with _making:
            return _session().client(
                "bedrock-agent-runtime",
                region_name=str(self.options["region"]),
                endpoint_url=call.access.base,
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
                aws_session_token=token or None,
                config=config,
            )


@cache
def _session() -> Any:
    """A session without keys, kept because it parses the service's description only once.

    Making clients of one is not thread-safe: hold `_making`.
    """
    import boto3  # type: ignore[import-untyped]

    return boto3.session.Session()
