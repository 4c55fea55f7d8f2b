"""Who sends a command: the owner of its token, or somebody who may publish on rollback-override."""

from datetime import timedelta

import msgspec

from shared.core import topics
from shared.core.codec import FrozenStruct, JsonObject, encode, from_json
from shared.core.errors import Moved, Refused, Rejected
from shared.core.pubsub_message import PubSubMessage
from shared.core.redaction import has_web_token
from shared.core.store import Create, Write
from shared.domain.commands import console_operator
from shared.domain.commands.credential import (
    SERVICE_ACCOUNT_RIGHT,
    TOKEN_KEY,
    Credential,
    CredentialKind,
    UsedToken,
    token_path,
)
from shared.domain.commands.permissions import PermissionRequest, objections
from shared.domain.policy.system_policy import Policies
from shared.domain.rollback.rollback import OVERRIDE_ACTOR_PREFIX, UNNAMED_ACTOR
from shared.ports.groups import Ports
from shared.state.reader import StateReader

USED_TOKEN_EXTRA_RETENTION = timedelta(days=1)
"""The use of a token is kept so much longer than the token lives."""


class Actor(FrozenStruct):
    """Who said a command."""

    name: str
    credential: Credential | None = None
    """None on rollback-override: nobody is proven there."""
    at_console: bool = False

    @property
    def person(self) -> str:
        """Which person it is, whatever they are called; "" when none is proven, as of a service."""
        known = self.credential
        return known.subject if known is not None and known.kind is CredentialKind.PERSON else ""

    @property
    def right(self) -> str:
        """By what they may say it, in words."""
        known = self.credential
        if known is None:
            return f"published on {topics.OVERRIDE}, which only IAM protects"
        if known.kind is CredentialKind.SERVICE:
            return SERVICE_ACCOUNT_RIGHT
        role = known.role.name.lower() if known.role is not None else "no role"
        factor = "with" if known.second_factor else "without"
        signed_in = f"{known.authenticated_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{role}, signed in {signed_in} {factor} a second factor"


def authenticate_command(
    message: PubSubMessage, ports: Ports, policies: Policies, *, needs_token: bool
) -> Actor:
    """Return who sends the command, if they may.

    The entry point says whether it needs a token, never the message. The token must be valid now,
    of somebody who had the right when they sent it: a command may be late by no fault of theirs.
    Raises: Refused, with every objection; Unavailable when nobody can be asked.
    """
    content: JsonObject = from_json(message.data)
    token = content.pop(TOKEN_KEY, None)
    if has_web_token(msgspec.json.encode(content).decode()):
        raise Refused(f"a token is outside the field {TOKEN_KEY}")
    if not needs_token:
        named = content.get("actor")
        return Actor(f"{OVERRIDE_ACTOR_PREFIX}{named}" if named else UNNAMED_ACTOR)
    if not token:
        raise Refused(f"no token: a command on {topics.COMMANDS} must carry the token of its sender")
    incident = StateReader(ports.store).incident(content["incident"]) if "incident" in content else None
    asked = PermissionRequest.from_content(content, incident.severity if incident is not None else None)
    try:
        credential = ports.operators.tokens.verify(token)
        said = console_operator.parse_operator(content, credential, ports.operators.console_account)
        if said is not None:  # the console's account speaks for an operator
            person = ports.operators.tokens.look_up(said.uid)
            credential = console_operator.operator_credential(said, person, credential, asked.fingerprint)
    except Rejected as rejected:
        raise Refused(str(rejected)) from None
    said_at = message.published_at or ports.clock.now()
    policy = policies.get(content.get("system", ""))
    concerned = [policy] if policy else list(policies.values())  # all, where it names none
    found = objections(asked, credential, concerned, said_at)
    if found:
        raise Refused("; ".join(found))
    return Actor(credential.name, credential, console_operator.OPERATOR_KEY in content)


def build_token_use_writes(actor: Actor, command: str, ports: Ports) -> list[Write]:
    """Build the use of the token. Raises: Refused, if used; Moved, if by this very command."""
    credential = actor.credential
    if credential is None:
        return []
    document = ports.store.get(token_path(credential.token_hash))
    if document.fields is not None:
        used = document.decode(UsedToken)
        if used.command == command:
            raise Moved(f"command {command} was executed in the meantime")
        raise Refused(f"the token of {actor.name} was already used by command {used.command}")
    used = UsedToken(command, document.read_at, credential.expires_at + USED_TOKEN_EXTRA_RETENTION)
    return [Create(document.path, encode(used))]
