"""The headings of the acts of an emergency, in their order."""

from enum import StrEnum


class Heading(StrEnum):
    """What begins each act; the picture of the demo shows all of them."""

    START = "Starting the embedded cloud, six responders and the console"
    SOUND = "A sound system"
    BAD_RELEASE = "A bad release"
    DETECTED = "Detected"
    DECIDED = "Decided"
    GOING_BACK = "Going back"
    VERIFYING = "Verifying"
    WATCHING = "Watching for"
    END = "The end"
    TIMES = "Times, in the cloud's own"
    LAWS = "Laws"
    VERDICT = "every law holds"
