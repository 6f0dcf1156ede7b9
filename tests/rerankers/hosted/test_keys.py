"""Keys: where they come from, where they may go, and that they are found nowhere afterwards."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, MissingKey
from rerank_lab.remote import limits as limiter
from rerank_lab.remote import urls
from rerank_lab.remote.providers import providers
from rerank_lab.remote.recordings import Recording
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from rerank_lab.testing.wire_formats import WIRES
from tests.rerankers.hosted.conftest import DOCS, QUERY, keyed, made, run

Start = Callable[..., FakeProvider]
ROOT = Path(__file__).resolve().parents[3]
CANARY = "cAnArY-0123456789abcdef-kEy"
SWITCHES = {
    "good": Switch(echo_key=True),
    "401": Switch(status=401, echo_key=True),
    "403": Switch(status=403, echo_key=True),
    "413": Switch(status=413, echo_key=True),
    "422": Switch(status=422, echo_key=True),
    "429": Switch(status=429, echo_key=True),
    "500": Switch(status=500, echo_key=True),
    "redirect": Switch(status=302, headers={"location": f"https://evil.example/?k={CANARY}"}),
    "echo": Switch(raw=json.dumps({"said": CANARY})),
    "text": Switch(raw=CANARY),
    "slow": Switch(delay_s=0.3),
    "drop": Switch(drop=True),
    "cut": Switch(cut=True),
    "short": Switch(short=1, echo_key=True),
    "model": Switch(model="another"),
}


@pytest.mark.parametrize("provider", list(WIRES))
def test_a_key_is_found_nowhere_afterwards(
    provider: str, fake: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = fake(provider, keys=(CANARY,))
    cache = ScoreCache(tmp_path / "scores.sqlite")
    seen: list[str] = []
    for name, switch in SWITCHES.items():
        reranker = made(provider, server, retries=1, timeout_s=0.2)
        server.always = switch
        with Recording(tmp_path / f"{name}.sqlite") as recording:
            for kept in (recording, None):
                ctx = keyed(CANARY, cache=cache, recording=kept)
                try:
                    done = reranker.rerank(QUERY, DOCS, ctx)
                    seen += [repr(done), json.dumps(done.trace.to_json())]
                except LabError as error:
                    seen += [repr(error), json.dumps(error.to_json())]
                    seen += traceback.format_exception(error)
                seen += [repr(ctx), repr(vars(reranker)), reranker.fingerprint()]
            seen += list(recording.lines())
    seen += [repr(limiter._limiters), caplog.text]
    seen += [f.read_bytes().decode("latin-1") for f in tmp_path.rglob("*") if f.is_file()]
    assert any(r.headers.get(server.wire.auth, "").find(CANARY) >= 0 for r in server.requests)
    found = [text[max(0, (at := text.find(CANARY)) - 200) : at] for text in seen if CANARY in text]
    assert found == []


def test_without_a_key_the_next_step_is_named_and_nothing_is_sent(
    fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    server = fake("cohere")
    with pytest.raises(MissingKey) as caught:
        run("cohere", server, Context())
    assert "COHERE_API_KEY" in caught.value.message
    assert "environment variable COHERE_API_KEY" in caught.value.hint
    assert server.requests == []


def test_the_sessions_key_wins_over_the_environments(
    fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOYAGE_API_KEY", "of-the-server")
    server = fake("voyage")
    run("voyage", server, keyed())
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_of_the_environment_does_not_go_where_a_visitor_says(
    fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOYAGE_API_KEY", KEY)
    server = fake("voyage")
    with pytest.raises(MissingKey, match=r"is not sent to 127\.0\.0\.1"):
        run("voyage", server, Context())
    monkeypatch.setenv(urls.KEY_HOSTS, "other.example, 127.0.0.1")
    run("voyage", server, Context())
    assert [r.headers["authorization"] for r in server.requests] == [f"Bearer {KEY}"]


def test_an_optional_key_of_the_environment_stays_home_too(
    fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEI_API_KEY", KEY)
    server = fake("tei")
    run("tei", server, Context())
    assert "authorization" not in server.requests[0].headers
    server.always = Switch(status=401)
    with pytest.raises(BackendError) as caught:
        run("tei", server, Context())
    assert urls.KEY_HOSTS in caught.value.hint


@pytest.mark.parametrize("key", ["with blank", "line\nbreak", "schlüssel", "nul\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(
    key: str, fake: Start
) -> None:
    with pytest.raises(InvalidInput) as caught:
        run("voyage", fake("voyage"), keyed(key))
    assert key not in str(caught.value)


def test_a_key_never_crosses_a_network_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = load("reranker", "vllm")(base_url="http://rerank.example.com")
    problem = reranker.missing_key(keyed())
    assert isinstance(problem, InvalidInput)
    assert "unencrypted" in problem.message


def test_voyage_keys_of_the_other_kind_go_to_their_own_address() -> None:
    voyage = load("reranker", "voyage")()
    assert voyage.access(keyed("al-123")).base == "https://ai.mongodb.com/v1"
    assert voyage.access(keyed("pa-123")).base == "https://api.voyageai.com/v1"


def test_a_key_of_streamlits_secrets_counts_as_one_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(f'COHERE_API_KEY = "{KEY}"\n')
    code = (
        "from streamlit.runtime.secrets import secrets_singleton\n"
        "assert secrets_singleton.load_if_toml_exists()\n"
        "from rerank_lab.core.context import Context\n"
        "print(Context().secret('COHERE_API_KEY'))"
    )
    clean = {k: v for k, v in os.environ.items() if k != "COHERE_API_KEY"}
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.strip() == KEY


def test_two_aws_accounts_are_never_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-server")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-the-server")
    bedrock = load("reranker", "bedrock")()
    with pytest.raises(MissingKey, match="AWS_ACCESS_KEY_ID"):
        bedrock.access(Context(secrets={"AWS_SECRET_ACCESS_KEY": "mine"}))
    both = {"AWS_SECRET_ACCESS_KEY": "mine", "AWS_ACCESS_KEY_ID": "me"}
    assert bedrock.access(Context(secrets=both)).secrets == ("mine", "me", "")


def test_an_aws_region_cannot_lead_elsewhere() -> None:
    bedrock = load("reranker", "bedrock")(region="evil.example/#")
    assert isinstance(bedrock.missing_key(keyed()), InvalidInput)
    assert [type(p) for p in bedrock.problems()] == [InvalidInput]


def test_bedrock_asks_no_profile_and_no_metadata_service(
    fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingKey):
        run("bedrock", fake("bedrock"), Context())


def test_the_key_is_no_option_and_so_part_of_no_spec() -> None:
    for name in providers():
        info = load("reranker", name).info
        assert not [p.name for p in info.params if "key" in p.name]
        assert info.key_variable
        assert info.lane == "network"


def test_a_context_shows_no_key_and_ignores_it_when_compared() -> None:
    one, two = keyed("first-key"), keyed("second-key")
    assert "first-key" not in repr(one)
    assert dataclasses.replace(one, cancel=two.cancel) == two
