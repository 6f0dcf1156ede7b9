"""Keys typed into this browser session: they live in its state and nowhere else.

Not in the URL, a cache, a log or the page: a field is emptied as soon as its key is taken over.
"""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from rerank_lab.services.access import Action, may, require

_KEYS, _VERSION = "session_keys", "session_keys_version"
_STRANGERS = "session_keys_strangers"


def secrets() -> dict[str, str]:
    """The keys of this session by variable, for `Context(secrets=...)`."""
    return dict(st.session_state.get(_KEYS, {}))


def strangers() -> frozenset[str]:
    """Hosts that came with somebody's saved comparison: nobody here typed them."""
    return frozenset(st.session_state.get(_STRANGERS, ()))


def distrust(hosts: Collection[str]) -> None:
    """Send keys of this session to none of these hosts until they are trusted."""
    st.session_state[_STRANGERS] = strangers().union(hosts)


def trust(hosts: Collection[str]) -> None:
    """Send keys to these hosts from now on; what failed for want of one is tried again."""
    st.session_state[_STRANGERS] = strangers().difference(hosts)
    st.session_state[_VERSION] = version() + 1


def version() -> int:
    """Changes whenever a key does, so that what failed for want of one is tried again."""
    return int(st.session_state.get(_VERSION, 0))


def field(variable: str, state_words: str) -> None:
    """Ask for one key; it is taken over on Enter."""
    typed = f"key_{variable}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            f"{variable} · {state_words}",
            key=typed,
            type="password",
            autocomplete="off",
            placeholder="Paste a key and press Enter",
            disabled=not may(Action.SET_KEYS),
            on_change=_take,
            args=(variable, typed),
        )
        if variable in secrets():
            st.button("Forget it", key=f"forget_{variable}", on_click=_put, args=(variable, ""))


def _take(variable: str, typed: str) -> None:
    text = str(st.session_state.get(typed, "")).strip()
    st.session_state[typed] = ""
    if text:
        _put(variable, text)


def _put(variable: str, text: str) -> None:
    require(Action.SET_KEYS, "keys", variable)
    others = {name: key for name, key in secrets().items() if name != variable}
    st.session_state[_KEYS] = others | ({variable: text} if text else {})
    st.session_state[_VERSION] = version() + 1
