"""on_override: execute a command that has no token, on the day when sign-in is down."""

from responders.triggers.commands import CommandsTrigger


class OverrideTrigger(CommandsTrigger):
    """Does what CommandsTrigger does, for whoever may publish on rollback-override."""

    needs_token = False
