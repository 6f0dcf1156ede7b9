"""AWS Bedrock: one query a request, signed (Signature Version 4), results page by page.

The signature: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, MissingKey
from rerank_lab.remote import urls
from rerank_lab.remote.access import Access, access_of, checked_key, replayed
from rerank_lab.rerankers.hosted.base import HostedReranker

KEY_ID, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}")
_ALGORITHM, _SERVICE = "AWS4-HMAC-SHA256", "bedrock"


class BedrockReranker(HostedReranker):
    """Keys are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where needed, AWS_SESSION_TOKEN.

    No profile, instance role or metadata service is ever asked: a visitor must not act with the
    rights of the machine that runs the app.
    """

    def base_url(self, key: str = "") -> str:
        """The typed address, else that of the region."""
        return super().base_url(key) if self.typed_address else self._regional_address()

    def access(self, ctx: Context) -> Access:
        """Secret, key id and session token, in this order, as `secrets`."""
        if replayed(ctx):
            return super().access(ctx)
        if self.typed_address:
            access = access_of(self.provider, self.base_url, ctx, self.typed_address)
        else:
            key = checked_key(SECRET, ctx, required=True)
            access = Access(self._regional_address(), key, True, (key,))
        key_id, token = _companions(ctx)
        return Access(access.base, access.key, access.own, (access.key, key_id, token))

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

    def sign(self, access: Access, url: str, content: bytes) -> Mapping[str, str]:
        """The headers of a signed request, by the clock of this moment."""
        secret, key_id, token = access.secrets
        return signed_headers(
            url, content, str(self.options["region"]), secret, key_id, token, datetime.now(UTC)
        )

    def recorded_place(self) -> str:
        """The typed address, else the region."""
        return str(self.options["base_url"]) or str(self.options["region"])

    def _regional_address(self) -> str:
        region = str(self.options["region"])
        if not _REGION.fullmatch(region):
            raise InvalidInput(
                f"{region!r} is not the name of an AWS region.",
                hint="Use one such as us-east-1 or eu-central-1.",
            )
        return f"https://bedrock-agent-runtime.{region}.amazonaws.com"


def signed_headers(
    url: str, content: bytes, region: str, secret: str, key_id: str, token: str, at: datetime
) -> dict[str, str]:
    """The headers X-Amz-Date, X-Amz-Security-Token (with a token) and Authorization of a POST.

    Args:
        url: The full address, without query.
        content: The body as it is sent.
        region: Such as us-east-1.
        secret: The secret access key.
        key_id: The access key id.
        token: The session token, "" for none.
        at: The moment of signing, in UTC; servers accept one of a few minutes.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.port and parts.port != urls.default_port(parts.scheme):
        host += f":{parts.port}"
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    headers = {"content-type": "application/json", "host": host, "x-amz-date": stamp}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    path = quote(parts.path or "/", safe="/-_.~")
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    payload = hashlib.sha256(content).hexdigest()
    canonical = "\n".join(["POST", path, "", listed, names, payload])
    scope = f"{day}/{region}/{_SERVICE}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (day, region, _SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join([_ALGORITHM, stamp, scope, digest])
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{_ALGORITHM} Credential={key_id}/{scope}"
    authorization = f"{credential}, SignedHeaders={names}, Signature={signature}"
    sent = {"X-Amz-Date": stamp, "Authorization": authorization}
    return sent | ({"X-Amz-Security-Token": token} if token else {})


def _companions(ctx: Context) -> tuple[str, str]:
    """Key id and token from where the secret came: those of two accounts are never mixed."""
    if not ctx.secrets.get(SECRET, "").strip():
        return checked_key(KEY_ID, ctx, required=True), checked_key(TOKEN, ctx, required=False)
    if not ctx.secrets.get(KEY_ID, "").strip():
        raise MissingKey(
            f"{SECRET} is entered without {KEY_ID}.",
            hint="They belong together: enter both on the Models page of the app, or set both in "
            "the environment.",
        )
    entered = bool(ctx.secrets.get(TOKEN, "").strip())
    token = checked_key(TOKEN, ctx, required=False) if entered else ""
    return checked_key(KEY_ID, ctx, required=True), token
