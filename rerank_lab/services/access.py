"""Who may do what: roles, the visitor whose work this is, and the record of what was done.

Whoever runs the command line or Python owns the data folder: nothing is refused, nothing recorded.
The app says who its visitor is with `visitors_by`; services that change something, spend money or
take keys ask here first, so that no page can forget to.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import ParamSpec, TypeVar

from rerank_lab.core.errors import NotAllowed
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import disk_errors

P = ParamSpec("P")
T = TypeVar("T")
AUDIT_FILE = "audit.jsonl"
_MAX_TARGET_CHARS = 120


class Action(StrEnum):
    """What is not everybody's to do; the value completes "may not ..."."""

    JUDGE = "give labels and votes"
    EDIT = "keep, change or run anything that stays"
    IMPORT = "bring files"
    SPEND = "ask providers that charge for it"
    SET_KEYS = "set keys"
    DELETE = "delete"


class Role(StrEnum):
    """What a visitor is; each may do what those before it may, and more."""

    VIEWER = "viewer"
    JUDGE = "judge"
    EDITOR = "editor"
    ADMIN = "admin"

    @property
    def actions(self) -> frozenset[Action]:
        """What it may do, besides looking and comparing with local models."""
        return _ACTIONS[self]


_EDITING = frozenset(Action) - {Action.DELETE}
_ACTIONS = {
    Role.VIEWER: frozenset[Action](),
    Role.JUDGE: frozenset({Action.JUDGE}),
    Role.EDITOR: _EDITING,
    Role.ADMIN: frozenset(Action),
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        name: An address or id as the provider of the sign-in has it; "" for nobody known.
        role: What the visitor is; None for somebody who may not even look.
        signed_in: Whether a sign-in said who it is.
    """

    name: str
    role: Role | None
    signed_in: bool = False

    def may(self, action: Action) -> bool:
        """Whether the role allows it."""
        return self.role is not None and action in self.role.actions


OWNER = Visitor("", Role.ADMIN)
"""Whoever runs this process, or sits at the machine of an app that no other machine reaches."""

_visitor: Callable[[], Visitor] = lambda: OWNER  # noqa: E731  (a place that the app fills)
_recorded: set[tuple[str, str, str]] = set()
_lock = threading.Lock()


def visitors_by(visitor: Callable[[], Visitor]) -> None:
    """Let this function say, in any thread, whose work is being done; for the app."""
    global _visitor
    _visitor = visitor


def current_visitor() -> Visitor:
    """Whose work is being done."""
    return _visitor()


def may(action: Action) -> bool:
    """Whether whoever asks may do this."""
    return current_visitor().may(action)


def why_not(action: Action) -> str:
    """Why whoever asks may not do this, for a page; "" where it is allowed."""
    visitor = current_visitor()
    return "" if visitor.may(action) else str(_refusal(visitor, action))


def require(action: Action, what: str = "", target: str = "", *, once: bool = False) -> None:
    """Record that somebody does this, or refuse it.

    Args:
        action: What is about to be done.
        what: The service, such as "corpora.delete".
        target: The name or id of what it is done to; no text of a document, no key.
        once: Record the same thing of the same visitor once in the life of this process.

    Raises:
        NotAllowed: the visitor's role does not allow it.
    """
    visitor = current_visitor()
    if not visitor.may(action):
        raise refused(visitor, action, what, target)
    _record(visitor, action, what, target, allowed=True, once=once)


def refused(visitor: Visitor, action: Action, what: str, target: str = "") -> NotAllowed:
    """Record that this visitor was refused, and return the error that says so."""
    _record(visitor, action, what, target, allowed=False)
    return _refusal(visitor, action)


def needs(action: Action, target: str = "") -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a service ask for leave first; `target` is the argument that names what it changes."""

    def decorated(service: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(service)
        what = f"{service.__module__.removeprefix('rerank_lab.services.')}.{service.__qualname__}"

        @functools.wraps(service)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            value = signature.bind(*args, **kwargs).arguments.get(target, "") if target else ""
            require(action, what, str(value))
            return service(*args, **kwargs)

        return guarded

    return decorated


def _refusal(visitor: Visitor, action: Action) -> NotAllowed:
    if visitor.role is None:
        return NotAllowed("Nobody who has not signed in may use this.", hint="Sign in.")
    who = f"As {visitor.role.value} you" if visitor.signed_in else "Visitors"
    hint = (
        "Ask whoever runs this app for another role; see docs/sign-in.md."
        if visitor.signed_in
        else "Sign in where that is offered, or open the app on the machine that it runs on; see "
        "docs/sign-in.md."
    )
    return NotAllowed(f"{who} may not {action.value}.", hint=hint)


def _record(
    visitor: Visitor,
    action: Action,
    what: str,
    target: str,
    *,
    allowed: bool,
    once: bool = False,
) -> None:
    """Add a line to the record. Nothing in it is ever changed."""
    if visitor is OWNER or action is Action.JUDGE:  # labels say themselves who gave them
        return
    key = (visitor.name, what, target)
    with _lock:
        if once and key in _recorded:
            return
        _recorded.add(key)
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "who": visitor.name or "visitor",
        "role": visitor.role or "none",
        "action": action.name.lower(),
        "service": what,
        "target": target[:_MAX_TARGET_CHARS],
        "allowed": allowed,
    }
    path = audit_path()
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:  # one write, so that lines of several processes do not mix
            os.write(file, (json.dumps(entry) + "\n").encode())
        finally:
            os.close(file)


def audit_path() -> Path:
    """The file of the record: one JSON object a line."""
    return data_home() / AUDIT_FILE
