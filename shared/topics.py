"""The topics between the responders."""

ALERTS = "rollback-alerts"
COMMANDS = "rollback-commands"
OVERRIDE = "rollback-override"
"""Commands without a token, for the day when sign-in is down: IAM alone says who may publish."""
CLOCK = "rollback-clock"
DEPLOYMENTS = "rollback-deployments"
WORK = "rollback-work"
NOTICES = "rollback-notices"
DEAD_LETTERS = "rollback-dead-letters"
LETTERS_KEPT = "rollback-dead-letters-kept"
"""The subscription that holds dead letters until a person takes them out."""

ALL = (ALERTS, COMMANDS, OVERRIDE, CLOCK, DEPLOYMENTS, WORK, NOTICES, DEAD_LETTERS)
