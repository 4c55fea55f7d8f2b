"""Policy: automation modes and the names of scenarios."""

from enum import IntEnum, StrEnum


class Mode(IntEnum):
    """How far automation may go on its own; the lower of several wins."""

    OBSERVE = 0
    ASK = 1
    ACT = 2


class ScenarioName(StrEnum):
    """Which way back; `none` for signals that are watched and never rolled back."""

    COMPLETE = "complete"
    FUNCTIONS = "functions"
    DATABASE = "database"
    AUTH = "auth"
    FEATURE = "feature"
    NONE = "none"
