"""A rehearsal: the plan of a scenario, made and dry-run on what is live, and nothing changed."""

from datetime import datetime
from typing import Any

from shared.core.codec import FrozenStruct, StoredDocument, documents_of
from shared.domain.policy.scenario_names import ScenarioName

PROMOTION_SCENARIOS = (ScenarioName.FUNCTIONS, ScenarioName.COMPLETE)
"""A promotion counts drills of these: of the functions, alone or with all else."""
drill_path = documents_of("drills")


class DrillStepCount(FrozenStruct):
    """Of the steps of one kind, what became of so many."""

    validated: int
    """The platform was asked, and would take them."""
    looked_at: int = 0
    """It cannot be asked; they would begin where the plan says, or have nothing left to do."""
    refused: int = 0

    def __str__(self) -> str:
        said = {"validated": self.validated, "checked": self.looked_at, "refused": self.refused}
        return ", ".join(f"{count} {what}" for what, count in said.items() if count)


class Drill(StoredDocument):
    """What a rehearsal found; kept as the reason why a system was promoted."""

    id: str
    """Of the command that asked for it."""
    system: str
    scenario: str
    actor: str
    at: datetime
    target: str
    plan: str
    """Fingerprint; empty: the gates led to none."""
    outcome: str
    reason: str
    agrees: bool
    """Whether the gates would have let it go ahead, and no step of it was refused."""
    rehearsed: dict[str, float]
    """Seconds to validate each step: a shift by its function, another step by its name."""
    refused: dict[str, str]
    """Why others were not taken, or would not lead where they should."""
    not_rehearsed: tuple[str, ...]
    """Those for which the write quota had nothing left."""
    gates: list[dict[str, Any]]
    took_seconds: float
    forecast_seconds: float
    """What the whole rollback would take to its last shift, from a full quota."""
    looked_at: dict[str, float]
    """Seconds that it took to look at each step that cannot be validated."""
    kinds: dict[str, DrillStepCount]
    reported: tuple[str, ...]
    """What the plan leaves alone, and what is to be known of it, one line each."""
