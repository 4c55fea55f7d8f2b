"""The registry of commands: who may give each, until when (CONTRIBUTING.md, "Add a command")."""

from shared.core.codec import FrozenStruct
from shared.domain.policy.operator_identity import Role


class CommandRule(FrozenStruct):
    """Who may give a command, and when."""

    role: Role
    """The lowest role, where no policy says otherwise: stopping needs less than acting."""
    expires: bool = False
    """Whether it is refused after the policy's `stale_after`; what stops something never is."""
    persons_only: bool = False
    """No service account may give it, whatever a policy allows."""


RESPONDER, COMMANDER, ADMIN = Role.RESPONDER, Role.COMMANDER, Role.ADMIN

COMMAND_RULES: dict[str, CommandRule] = {
    "pause": CommandRule(RESPONDER),
    "cancel": CommandRule(RESPONDER),
    "ack": CommandRule(RESPONDER),
    "reject": CommandRule(RESPONDER),
    "export": CommandRule(RESPONDER),
    "notify": CommandRule(RESPONDER),
    "check": CommandRule(RESPONDER),
    "unplan": CommandRule(RESPONDER),
    "root-cause": CommandRule(RESPONDER),
    "rollback": CommandRule(COMMANDER, expires=True),
    "approve": CommandRule(COMMANDER, expires=True),
    "resume": CommandRule(COMMANDER),
    "retry": CommandRule(COMMANDER, expires=True),
    "accept": CommandRule(COMMANDER, expires=True),
    "publish": CommandRule(COMMANDER),
    "undo": CommandRule(COMMANDER, expires=True, persons_only=True),
    "freeze": CommandRule(COMMANDER),
    "unfreeze": CommandRule(COMMANDER),
    "copy": CommandRule(COMMANDER, expires=True),
    "fence": CommandRule(COMMANDER, expires=True),
    "lift-fence": CommandRule(COMMANDER),
    "mark": CommandRule(COMMANDER),
    "mark-stable": CommandRule(COMMANDER, expires=True),
    "mark-bad": CommandRule(COMMANDER),
    "mark-barrier": CommandRule(COMMANDER),
    "unpin": CommandRule(COMMANDER, expires=True, persons_only=True),
    "drill": CommandRule(COMMANDER),
    "breach": CommandRule(COMMANDER, expires=True),
    "regenerate": CommandRule(COMMANDER, expires=True),
    "revoke-sessions": CommandRule(COMMANDER, expires=True),
    "promote": CommandRule(ADMIN, expires=True),
    "hold": CommandRule(ADMIN),
    "release": CommandRule(ADMIN),
    "erase": CommandRule(ADMIN),
}
"""By the verb in a command's JSON."""
