"""The headings of the acts of an emergency, in their order."""

from enum import StrEnum


class Heading(StrEnum):
    """What begins each act; the picture of the demo shows all of them."""

    START = "Starting the embedded cloud, six responders and the console"
    SOUND = "A healthy system"
    BAD_RELEASE = "A bad release"
    DETECTED = "Detected"
    DECIDED = "Decided"
    GOING_BACK = "Rolling back"
    VERIFYING = "Verifying"
    WATCHING = "Monitoring for"
    END = "Outcome"
    TIMES = "Times, by the cloud's clock"
    LAWS = "Invariants"
    VERDICT = "every invariant holds"
