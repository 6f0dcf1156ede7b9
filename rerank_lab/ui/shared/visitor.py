"""This browser session as the services know it: who it is, and what it works with."""

from __future__ import annotations

import os
from functools import cache
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from rerank_lab.core.errors import NotAllowed
from rerank_lab.core.paths import is_loopback
from rerank_lab.services.access import (
    OWNER,
    Action,
    Visitor,
    current_visitor,
    visitors_by,
    why_not,
)
from rerank_lab.services.roles import ROLES_VARIABLE, Roles, read_roles
from rerank_lab.services.session import Session
from rerank_lab.ui.shared import keys, parts, resources, spending

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers of a proxy: whoever comes through one need not sit at this machine."""


def session() -> Session:
    """Engine and job table of the process, with keys and spend meter of this session."""
    return Session(
        resources.engine(),
        resources.jobs(),
        resources.waiter(),
        secrets=keys.secrets(),
        key_version=keys.version(),
        distrusted_hosts=keys.strangers(),
        spend=spending.meter(),
    )


def admitted() -> bool:
    """Whether whoever opened the page may look at it; draws the sign-in where not."""
    if current_visitor().role is not None:
        return True
    with (
        st.container(horizontal_alignment="center"),
        st.container(border=True, width=420, key="sign_in"),
    ):
        st.markdown("### :material/swap_vert: Rerank Lab")
        if _signed_in():
            st.markdown("You are signed in, and have no role here. Ask whoever runs this app.")
            st.button("Sign out", key="sign_out", on_click=st.logout)
        else:
            st.markdown("Sign in to look, compare and judge.")
            _sign_in_buttons()
    return False


def welcome_to(action: Action) -> bool:
    """Whether the visitor may do this; says why not where it would have been."""
    reason = why_not(action)
    if reason:
        st.caption(f":material/lock: {parts.literal(reason)}")
    return not reason


def who() -> None:
    """Who is signed in and as what, and the way in or out; nothing on one's own machine."""
    visitor = current_visitor()
    if visitor is OWNER:
        return
    role = visitor.role.value if visitor.role is not None else "no role"
    name = parts.literal(visitor.name) if visitor.signed_in else "Visitor"
    st.caption(
        f":material/person: {name} · {role}",
        help="Viewers look and compare. Judges also label and vote. Editors also import, "
        "evaluate, set keys and spend. Admins also delete.",
    )
    if visitor.signed_in:
        st.button(
            "Sign out", key="sign_out", type="tertiary", icon=":material/logout:",
            on_click=st.logout,
        )  # fmt: skip
    elif _providers():
        _sign_in_buttons()


def show_refusal(error: Exception) -> bool:
    """Show an error of a role as a card in place of Streamlit's own; False for other errors."""
    if not isinstance(error, NotAllowed):
        return False
    parts.error_card(error, key="not_allowed")
    return True


def _sign_in_buttons() -> None:
    for name in _providers():
        st.button(
            f"Sign in with {name}" if name else "Sign in",
            key=f"sign_in_{name}",
            icon=":material/login:",
            type="primary",
            on_click=st.login,
            args=(name,) if name else (),
        )


def _current() -> Visitor:
    """Who the running script is drawn for; the process itself outside of any."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return OWNER  # a job or a request of the API: it was let in at the door
    if _signed_in():
        return _roles().member(st.user.to_dict())
    if _providers():
        return _roles().stranger(can_sign_in=True)
    return OWNER if _from_here() else _roles().stranger(can_sign_in=False)


def _from_here() -> bool:
    """Whether only somebody at this machine can have asked for the page."""
    if not is_loopback(st.get_option("server.address")):
        return False
    headers = st.context.headers
    if any(name in headers for name in _FORWARDED):
        return False
    return is_loopback(urlsplit(f"//{headers.get('host', 'localhost')}").hostname)


def _providers() -> tuple[str, ...]:
    """Names of the ways to sign in, "" for the only one; () where none is set up."""
    if not st.secrets.load_if_toml_exists() or "auth" not in st.secrets:
        return ()
    auth = st.secrets["auth"]
    named = tuple(name for name in auth if hasattr(auth[name], "keys"))
    return named or ("",)


def _signed_in() -> bool:
    return bool(_providers()) and bool(st.user.is_logged_in)


@cache
def _roles() -> Roles:
    return read_roles(os.environ.get(ROLES_VARIABLE, ""))


visitors_by(_current)
