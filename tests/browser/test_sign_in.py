"""Signing in with a provider that really runs, roles, and an app that other machines reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Visitor
from tests.browser.server import Server, free_port

pytestmark = pytest.mark.browser
CORPUS = "Garden"
SECRETS = """
[auth]
redirect_uri = "http://localhost:{port}/oauth2callback"
cookie_secret = "a-secret-of-the-test-of-enough-length"
client_id = "rerank-lab"
client_secret = "secret"
server_metadata_url = "http://localhost:{provider}/.well-known/openid-configuration"
"""
ROLES = """
roles:
  admin: [ada@example.org]
  judge: [readers]
claim: groups
signed_in: none
"""
PEOPLE = {
    "ada": {"email": "ada@example.org", "email_verified": True},
    "jo": {"groups": ["readers"], "email": "ada@example.org", "email_verified": False},
    "eve": {"email": "eve@example.org", "email_verified": True},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[int]:
    """The port of an OpenID Connect provider that knows some people."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mock = pytest.importorskip("oidc_provider_mock")
        people = [mock.User(sub=name, claims=claims) for name, claims in PEOPLE.items()]
        with mock.run_server_in_thread(user_claims=people) as server:
            yield server.server_port


def with_corpus(home: Path) -> None:
    """Import a small corpus into a data folder."""
    home.mkdir(parents=True)
    file = home.parent / "garden.jsonl"
    file.write_text("".join(json.dumps({"text": f"Plant number {n}."}) + "\n" for n in range(3)))
    command = [sys.executable, "-m", "rerank_lab", "corpora", "import", str(file)]
    env = os.environ | {"RERANK_LAB_HOME": str(home)}
    subprocess.run([*command, "--name", CORPUS], env=env, check=True, capture_output=True)


@pytest.fixture(scope="module")
def server(provider: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("sign-in") / "home"
    with_corpus(home)
    port = free_port()
    secrets, roles = home.parent / "secrets.toml", home.parent / "roles.yaml"
    secrets.write_text(SECRETS.format(port=port, provider=provider))
    roles.write_text(ROLES)
    started = Server(
        home, variables={"RERANK_LAB_ROLES": str(roles)}, options=("--secrets.files", str(secrets))
    )
    started.start(port)
    yield started
    started.stop()


def sign_in(visitor: Visitor, name: str) -> None:
    visitor.page.goto(visitor.server.url)
    visitor.page.get_by_role("button", name="Sign in").click()
    visitor.page.get_by_role("button", name=name, exact=True).first.click()


def open_change(visitor: Visitor) -> None:
    """The part of the Corpora page where a corpus is changed and deleted."""
    visitor.go("corpora", corpus=CORPUS)
    visitor.page.get_by_text("Change", exact=True).first.click()
    visitor.key("delete_corpus").locator("button").wait_for()


def audit(server: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in (server.home / "audit.jsonl").read_text().splitlines()]


def test_nobody_looks_before_signing_in_and_a_judge_does_not_delete(
    visit: Callable[..., Visitor],
) -> None:
    visitor = visit()
    visitor.page.goto(f"{visitor.server.url}/corpora?corpus={CORPUS}")
    visitor.wait_for_text("Sign in to look, compare and judge.")
    assert visitor.page.locator(".st-key-corpus").count() == 0
    assert CORPUS not in visitor.page.content()
    sign_in(visitor, "jo")
    visitor.wait_for_text("jo · judge")  # the address is not verified, and says nothing
    open_change(visitor)
    assert visitor.key("delete_corpus").locator("button").is_disabled()
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.page.wait_for_url("**/end_session**")
    visitor.page.get_by_role("button").first.click()  # the provider asks whether one means it
    visitor.wait_for_text("Sign in to look, compare and judge.")


def test_who_has_no_role_is_told_so(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    sign_in(visitor, "eve")
    visitor.wait_for_text("You are signed in, and have no role here.")


def test_an_admin_deletes_and_it_is_recorded(visit: Callable[..., Visitor], server: Server) -> None:
    visitor = visit()
    sign_in(visitor, "ada")
    visitor.wait_for_text("ada@example.org · admin")
    open_change(visitor)
    visitor.press("delete_corpus")
    visitor.press("delete_for_good")
    visitor.key("delete_corpus").wait_for(state="detached")
    entry = next(one for one in audit(server) if one["action"] == "delete")
    assert (entry["who"], entry["target"], entry["allowed"]) == ("ada@example.org", CORPUS, True)


def test_a_passing_visitor_of_an_app_that_others_reach_does_not_delete(
    visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    with_corpus(tmp_path / "home")
    reachable = Server(tmp_path / "home", options=("--server.address", "0.0.0.0"))
    try:
        reachable.start()
        visitor = visit(reachable)
        open_change(visitor)
        visitor.wait_for_text("Visitor · viewer")
        visitor.wait_for_text("Visitors may not bring files.")
        assert visitor.key("delete_corpus").locator("button").is_disabled()
    finally:
        reachable.stop()
