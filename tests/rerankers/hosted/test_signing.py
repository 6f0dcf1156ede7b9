"""The signature of AWS requests, by AWS' own signer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rerank_lab.rerankers.hosted.bedrock import signed_headers

AT = datetime(2026, 11, 28, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("token", ["", "a/session+token=="])
@pytest.mark.parametrize(
    "url",
    [
        "https://bedrock-agent-runtime.us-east-1.amazonaws.com/rerank",
        "http://127.0.0.1:8123/rerank",
        "https://proxy.example/a b/rerank",
    ],
)
def test_a_signature_is_the_one_that_aws_own_signer_makes(
    url: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = pytest.importorskip("botocore.auth")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    monkeypatch.setattr(auth, "get_current_datetime", lambda: AT.replace(tzinfo=None))
    body = '{"queries":[{"type":"TEXT","textQuery":{"text":"Zürich"}}]}'.encode()
    request = AWSRequest("POST", url, {"content-type": "application/json"}, body)
    auth.SigV4Auth(Credentials("AKID", "secret/+", token or None), "bedrock", "us-east-1").add_auth(
        request
    )
    headers = signed_headers(url, body, "us-east-1", "secret/+", "AKID", token, AT)
    assert headers["Authorization"] == request.headers["Authorization"]
    assert headers["X-Amz-Date"] == request.headers["X-Amz-Date"]
