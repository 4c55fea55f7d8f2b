"""The product with one guard taken away, each of which a broken law must tell."""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from shared.core.errors import RollbackError
from tests.simulation.mutants import decisions, effects, lease, messages, operator_commands, statements
from tests.simulation.scenes.scenes import CROSSING, PEOPLE, SCENES, SILENT, SLOW
from tests.simulation.scenes.spoken import SPOKEN, UNREPORTED
from tests.simulation.schedule import run

Mutant = Callable[[], AbstractContextManager[Any]]

MUTANTS: tuple[Mutant, ...] = (
    *lease.MUTANTS,
    *effects.MUTANTS,
    *operator_commands.MUTANTS,
    *decisions.MUTANTS,
    *messages.MUTANTS,
    *statements.MUTANTS,
)
HIDING = {
    "unconditional_effect_sent_late": 20103,
    "lease_by_wall_clock": 20056,
    "no_fence_on_intents": 20067,
    "copies_count_as_deaths": 20133,
    "no_receipt": 20482,
    "no_precondition_on_the_effect": 20061,
    "persons_change_overwritten": 20084,
    "persons_release_overwritten": 20575,
    "persons_deployment_built_over": 20269,
    "persons_template_overwritten": 20090,
    "template_published_over_the_newest": 21366,
    "unconditional_effect_repeated": 20103,
    "rebuild_sent_again_at_once": 20103,
    "unreadable_switch_means_go": 20086,
    "own_document_not_asked": 20263,
    "words_overtaken": 20144,
    "approval_of_another_plan": 20328,
    "finished_without_the_joined_alerts": 20179,
    "ended_and_due_again": 20170,
    "budget_ignored": 20124,
    "cause_ignored": 20055,
    "failed_notices_count_as_sent": 20129,
    "accepted_as_resolved": 20199,
    "verified_by_one_function": 20957,
    "reopened_without_public_state": 20089,
    "failing_since_the_first_time": 20089,
    "rollback_forgotten": 20055,
    "an_order_never_fails": 20687,
    "failed_without_public_state": 20693,
    "undo_called_a_repair": 20150,
    "page_says_no_incident": 20089,
    "superseded_without_public_state": 20104,
    "held_without_a_look": 20064,
    "lease_never_ends": 20580,
}
"""Those that show in few worlds, and the first seed in which each was last caught: played first."""
PLAYED = {
    "late_counts_as_dead": SLOW,
    "ended_and_due_again": SILENT,
    "slot_not_asked_for": CROSSING,
    "template_published_over_the_newest": PEOPLE,
    "observed_failure_stays_private": UNREPORTED,
    "held_without_a_look": UNREPORTED,
    "uncounted_is_called_working": UNREPORTED,
}
"""Those that are caught in scenes of their own."""
HIDES_FOR = 50
"""Seeds without it after which a mutant belongs there: `mutants` says of which that is so."""


def is_hidden(mutant: Mutant, seed: int, first: int) -> bool:
    """Whether a mutant that is caught in this seed hides, and is not known to do so in it."""
    return seed - first >= HIDES_FOR and HIDING.get(mutant.__name__) != seed


def caught(mutant: Mutant, seeds: Sequence[int]) -> tuple[int, str] | None:
    """A seed of these that tells the mutant from the product, and what it says.

    The one that last did comes before all others; where another product makes another world of
    it, they are played in their order.
    Raises: TypeError for a mutant that does not fit into the product any more.
    """
    last = HIDING.get(mutant.__name__, -1)
    for seed in (last, *seeds) if last in seeds else seeds:
        broken = _told_by(mutant, seed)
        if broken:
            return seed, broken[0]
    return None


def _told_by(mutant: Mutant, seed: int) -> list[str]:
    """What tells the mutant in the world of this seed: of words, what the product does not say."""
    speaks = mutant in statements.MUTANTS
    scenes = PLAYED.get(mutant.__name__, SPOKEN if speaks else SCENES)
    with mutant():
        try:
            broken = run(seed, scenes, judged=speaks).laws.broken
        except (RollbackError, ArithmeticError, LookupError, ValueError) as fault:
            broken = [repr(fault)]
    if not speaks or not broken:
        return broken
    honest = set(map(_kind_of, run(seed, scenes, judged=True).laws.broken))
    return [law for law in broken if law.startswith("law 13:") and _kind_of(law) not in honest]


def _kind_of(law: str) -> str:
    """A broken law without the times and numbers of its world."""
    return re.sub(r"\d+", "", law)
