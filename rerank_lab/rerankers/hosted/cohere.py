"""Cohere v2 through its official SDK, which speaks to any server of the same format as well."""

from __future__ import annotations

import json
from typing import Any

from rerank_lab.components.registry import Param
from rerank_lab.remote.errors import Fault
from rerank_lab.remote.providers import providers
from rerank_lab.rerankers.hosted.base import Call, HostedReranker
from rerank_lab.rerankers.hosted.options import hosted_info
from rerank_lab.rerankers.hosted.responses import Answer, answer_of, parsed


class Cohere(HostedReranker):
    """One SDK client per request: it holds the key, so it must not outlive the request.

    The SDK's own retries are off (ours know the deadline, the cancel token and the spend limit),
    and it sends through our transport, which checks addresses and keeps recordings.
    """

    provider = providers()["cohere"]
    modules = ("cohere.client_v2", "cohere.v2.raw_client", "cohere.core.http_client")
    info = hosted_info(
        "cohere",
        Param(
            "max_tokens_per_doc",
            4096,
            "Tokens of a document that are read; what is beyond is cut.",
            low=1,
            high=128_000,
            unit="tokens",
            label="Longest document",
        ),
        Param(
            "priority",
            0,
            "Urgency when the service is busy; 0 is the most urgent.",
            low=0,
            high=999,
            label="Priority",
            execution=True,
        ),
    )

    def send(self, call: Call) -> Answer:
        from rerank_lab.remote.transport import LabTransport, client, faults

        transport = LabTransport(self.line(call))
        with faults(), client(transport) as http:
            self._through_sdk(call, http)
        text = transport.reply.body if transport.reply else ""
        return answer_of(parsed(text, self.provider), len(call.texts), self.provider)

    def reads(self) -> int:
        return int(self.options["max_tokens_per_doc"])

    def beside(self, query: str) -> int:
        return 0

    def _through_sdk(self, call: Call, http: Any) -> None:
        """Send one request. Raises Fault for a non-2xx answer; the reply is read elsewhere.

        The SDK builds its objects without checking and trips over replies of another shape with
        whatever Python raises; our own reach says what is wrong with them.
        """
        import cohere
        from cohere.core.api_error import ApiError
        from cohere.core.parse_error import ParsingError

        sdk = cohere.ClientV2(
            call.access.key or "none",
            base_url=call.access.base.rstrip("/"),
            timeout=call.timeout_s,
            max_retries=0,
            httpx_client=http,
            log_warning_experimental_features=False,
        )
        try:
            sdk.rerank(
                model=self.model, query=call.query, documents=list(call.texts), **self._extra()
            )
        except ApiError as error:
            status = error.status_code or 0
            if not 200 <= status < 300:
                body = error.body if isinstance(error.body, str) else json.dumps(error.body)
                raise Fault("status", status=status, headers=error.headers, body=body) from None
        except (ParsingError, TypeError, ValueError):
            return

    def _extra(self) -> dict[str, Any]:
        """The options that differ from the API's own defaults; others are not sent."""
        names = ("max_tokens_per_doc", "priority")
        shown = {name: int(self.options[name]) for name in names}
        return {k: v for k, v in shown.items() if (p := self.info.param(k)) and v != p.default}
