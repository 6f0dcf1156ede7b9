"""Roles from a file: who of those who sign in is what, by verified address or by a claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.storage import disk_errors
from rerank_lab.services.access import Role, Visitor

ROLES_VARIABLE = "RERANK_LAB_ROLES"
"""The environment variable that names the file."""
NONE = "none"
"""What stands in the file for no role at all."""
_MAX_BYTES = 1_000_000
_SUBJECT = "sub:"


class _RolesFile(msgspec.Struct, forbid_unknown_fields=True):
    roles: dict[str, list[str]] = {}
    claim: str = ""
    trust_email: bool = False
    signed_in: str = ""
    visitor: str = ""


@dataclass(frozen=True, slots=True)
class Roles:
    """Who is what.

    Attributes:
        members: Addresses, `*@domain`, `sub:ID` or values of the claim, by role.
        claim: The claim whose values `members` may name, such as "groups"; "" for none.
        trust_email: Whether an address counts that the provider does not call verified.
        signed_in: The role of whoever signed in and is no member; None for none.
        visitor: The role of whoever did not sign in; None for none. "" where the file is silent:
            a viewer, or nobody where one can sign in.
    """

    members: Mapping[Role, frozenset[str]] = field(default_factory=dict)
    claim: str = ""
    trust_email: bool = False
    signed_in: Role | None = Role.EDITOR
    visitor: Role | None = None
    visitor_is_named: bool = False

    def member(self, claims: Mapping[str, Any]) -> Visitor:
        """Who signed in, by the claims of the provider: the highest role that fits."""
        names = self._names(claims)
        fitting = [role for role in Role if names & self.members.get(role, frozenset())]
        role = fitting[-1] if fitting else self.signed_in
        who = self._email(claims) or claims.get("sub") or "unnamed"
        return Visitor(str(who), role, signed_in=True)

    def stranger(self, *, can_sign_in: bool) -> Visitor:
        """Who did not sign in, from another machine or where one can sign in."""
        if self.visitor_is_named:
            return Visitor("", self.visitor)
        return Visitor("", None if can_sign_in else Role.VIEWER)

    def _names(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """All that a member may be called in the file."""
        names: set[str] = set()
        if claims.get("sub"):
            names.add(f"{_SUBJECT}{claims['sub']}")
        email = self._email(claims)
        if email:
            names |= {email, f"*@{email.rpartition('@')[2]}"}
        values = claims.get(self.claim) if self.claim else None
        if isinstance(values, str):
            values = [values]
        if isinstance(values, (list, tuple)):
            # A group may be called like an address or a subject; it is neither.
            groups = map(str, values)
            names |= {one for one in groups if "@" not in one and not one.startswith(_SUBJECT)}
        return frozenset(names)

    def _email(self, claims: Mapping[str, Any]) -> str:
        """The address that says who somebody is; "" for none.

        Some providers let people write any address: only a verified one counts.
        """
        email = str(claims.get("email") or "").casefold()
        trusted = claims.get("email_verified") is True or self.trust_email
        return email if "@" in email and trusted else ""


def read_roles(path: str) -> Roles:
    """The roles of a YAML file; "" gives the roles of a lab without one.

    Raises:
        InvalidInput: there is no such file, or something in it is not understood.
    """
    if not path:
        return Roles()
    file = user_path(path)
    if not file.is_file():
        raise InvalidInput(f"There is no file of roles {path!r}.", hint=f"See {ROLES_VARIABLE}.")
    with disk_errors(file):
        data = file.read_bytes()[: _MAX_BYTES + 1]
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError(f"it is longer than {_MAX_BYTES:,} bytes")
        return _roles(msgspec.convert(yaml.safe_load(data.decode("utf-8-sig")), _RolesFile))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{file.name} cannot be used: {' '.join(str(error).split())}.",
            hint="It holds `roles:` and below it lists for viewer, judge, editor, admin; see "
            "docs/sign-in.md.",
        ) from None


def _roles(file: _RolesFile) -> Roles:
    members = {
        _role(name): frozenset(one.casefold() if "@" in one else one for one in listed)
        for name, listed in file.roles.items()
    }
    return Roles(
        {Role(role): names for role, names in members.items() if role is not None},
        file.claim,
        file.trust_email,
        _role(file.signed_in) if file.signed_in else Role.EDITOR,
        _role(file.visitor) if file.visitor else None,
        bool(file.visitor),
    )


def _role(name: str) -> Role | None:
    if name == NONE:
        return None
    try:
        return Role(name)
    except ValueError:
        raise ValueError(f"{name!r} is no role; there are {', '.join(Role)} and {NONE}") from None
