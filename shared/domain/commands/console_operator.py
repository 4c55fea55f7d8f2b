"""Who speaks at the console: carried by a command of the console's own account, and judged again.

The console proves with a token of its account that it says exactly these words; the words name the
operator whose session it was. Nobody else may speak for somebody.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from shared.core.codec import FrozenStruct, JsonObject, from_builtins
from shared.core.errors import Rejected
from shared.domain.commands.credential import Credential, CredentialKind
from shared.domain.policy.operator_identity import Role

OPERATOR_KEY = "operator"
"""The field of a command that names them."""


class Operator(FrozenStruct):
    """An operator as their session shows them; the command's JSON, as it is."""

    uid: str
    name: str
    role: str
    second_factor: bool
    auth_time: datetime
    """When they entered password and second factor."""


class OperatorAccount(FrozenStruct):
    """What is known of a person who may still sign in."""

    role: Role | None
    valid_since: datetime
    """Whatever was signed in before is revoked."""


def operator_fields(session: Credential) -> JsonObject:
    """What a command says of the person of a session."""
    said: JsonObject = msgspec.to_builtins(
        Operator(
            uid=session.subject,
            name=session.name,
            role=session.role.name.lower() if session.role is not None else "",
            second_factor=session.second_factor,
            auth_time=session.authenticated_at,
        )
    )
    return said


def parse_operator(content: Mapping[str, Any], speaker: Credential, console: str) -> Operator | None:
    """Return the operator that a command names; None: its sender itself. Raises: Rejected."""
    if OPERATOR_KEY not in content:
        return None
    if speaker.kind is not CredentialKind.SERVICE or not console or speaker.name != console:
        raise Rejected(f"{speaker.name} may not speak for an operator: only the console does")
    try:
        return from_builtins(content[OPERATOR_KEY], Operator)
    except msgspec.ValidationError as unlike:
        raise Rejected(f"the operator is not named whole: {unlike}") from None


def operator_credential(
    said: Operator, known: OperatorAccount, speaker: Credential, hashed: str
) -> Credential:
    """Return the session's credential, as far as it still holds. Raises: Rejected."""
    if speaker.audience != hashed:
        raise Rejected("the token's audience is not the hash of this command")
    if said.auth_time < known.valid_since:
        raise Rejected(f"{said.name}'s sign-in was revoked")
    shown = Role.from_name(said.role)
    return replace(
        speaker,
        subject=said.uid,
        name=said.name,
        kind=CredentialKind.PERSON,
        role=None if shown is None or known.role is None else min(shown, known.role),
        second_factor=said.second_factor,
        authenticated_at=said.auth_time,
    )
