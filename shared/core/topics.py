"""The topics between the responders and their delivery; Terraform and doctor compare with them."""

from datetime import timedelta

ALERTS = "rollback-alerts"
COMMANDS = "rollback-commands"
OVERRIDE = "rollback-override"
"""Commands without a token, for the day when sign-in is down: IAM alone says who may publish. Only
the entry point `on_override` accepts them."""
CLOCK = "rollback-clock"
DEPLOYMENTS = "rollback-deployments"
WORK = "rollback-work"
NOTICES = "rollback-notices"
DEAD_LETTERS = "rollback-dead-letters"
DEAD_LETTER_SUBSCRIPTION = "rollback-dead-letters-kept"
"""The subscription that holds dead letters until a person takes them out."""

ENTRY_POINTS = {
    "on_alert": (ALERTS,),
    "on_command": (COMMANDS,),
    "on_override": (OVERRIDE,),
    "on_clock": (CLOCK,),
    "on_deployment": (DEPLOYMENTS,),
    "on_work": (WORK,),
    "on_notice": (NOTICES,),
}
"""The topics of each entry point of main.py."""
ALL_TOPICS = (*(topic for topics in ENTRY_POINTS.values() for topic in topics), DEAD_LETTERS)
CONSOLE_ENTRY_POINT = "console"
"""The entry point of main.py that no topic triggers: browsers request it."""
PUBLISHES = {
    "on_alert": (WORK, NOTICES, DEAD_LETTERS),
    "on_command": (WORK, DEPLOYMENTS, NOTICES, DEAD_LETTERS),
    "on_override": (WORK, DEPLOYMENTS, NOTICES, DEAD_LETTERS),
    "on_clock": (WORK, DEPLOYMENTS, NOTICES, DEAD_LETTERS),
    "on_deployment": (NOTICES, DEAD_LETTERS),
    "on_work": (WORK, NOTICES, DEAD_LETTERS),
    "on_notice": (NOTICES, DEAD_LETTERS),
    CONSOLE_ENTRY_POINT: (COMMANDS,),
}
"""The topics on which each entry point of main.py publishes."""
ACK_DEADLINE = timedelta(minutes=10)
"""The longest; a function's own time-out ends it sooner."""
MAX_DELIVERY_ATTEMPTS = 100
"""Deliveries of a message before Pub/Sub itself makes it a dead letter."""
DEAD_LETTER_RETENTION = timedelta(days=31)
"""The longest retention of a subscription (pubsub.proto, Subscription)."""


def deployed_function(entry_point: str) -> str:
    """Return the name of the function that Terraform deploys for an entry point."""
    return f"rollback-{entry_point.replace('_', '-')}"


def backoff(topic: str) -> tuple[timedelta, timedelta]:
    """The shortest and the longest pause between two deliveries of a message.

    Work comes again soon: a dead worker's rollback waits for it.
    """
    first, longest = (1, 10) if topic == WORK else (10, 60)
    return timedelta(seconds=first), timedelta(seconds=longest)
