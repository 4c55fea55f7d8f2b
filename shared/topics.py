"""The topics between the responders."""

ALERTS = "rollback-alerts"
COMMANDS = "rollback-commands"
CLOCK = "rollback-clock"
DEPLOYMENTS = "rollback-deployments"
WORK = "rollback-work"
NOTICES = "rollback-notices"
DEAD_LETTERS = "rollback-dead-letters"
LETTERS_KEPT = "rollback-dead-letters-kept"
"""The subscription that holds dead letters until a person takes them out."""

ALL = (ALERTS, COMMANDS, CLOCK, DEPLOYMENTS, WORK, NOTICES, DEAD_LETTERS)
