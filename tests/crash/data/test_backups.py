"""A backup disturbed at every point: one whole copy in two places, each time."""

from __future__ import annotations

import pytest

from shared.domain.data.backups.export import ExportStatus
from tests.support.data.exports import HERE, MINUTE, THERE, backup, told, world
from tests.support.faults.fault_injection import Fault, Saboteur, disturbed, points
from tests.support.runtime.world import World

COUNTED = ("store.commit", "exports.begin", "mirrors.copy", "mirrors.write")


def run(saboteur: Saboteur) -> World:
    shop = world(saboteur)
    disturbed(shop, saboteur, 6 * MINUTE, 5 * MINUTE)
    return shop


@pytest.mark.parametrize(("fault", "point"), points(run, COUNTED))
def test_a_fault_anywhere_leaves_one_whole_backup(fault: Fault, point: int) -> None:
    """Whoever dies, is deaf or stands still, the next one finds what was begun.

    Who stood still with the request in hand begins a second one, in a folder that nobody reads.
    """
    saboteur = Saboteur(point, fault, COUNTED)

    shop = run(saboteur)

    assert saboteur.happened
    kept = backup(shop)
    assert (kept.status, kept.documents, len(kept.places)) == (ExportStatus.KEPT, 55, 2)
    mirrors = shop.ports.mirrors
    there, described = mirrors.listed(THERE, ""), mirrors.listed(HERE, kept.configuration)
    assert [*described] == [kept.configuration]
    wanted = mirrors.listed(HERE, f"{kept.folder}/") | described
    assert {name: one for name, one in there.items() if name in wanted} == wanted
    assert all(name.endswith(".json") for name in set(there) - set(wanted))
    assert told(shop) == ["begun", "copying", "kept"]
    begun = shop.ports.databases.begun
    assert len(set(begun)) == len(begun) <= (2 if fault is Fault.ZOMBIE else 1)
    assert kept.places[0] in begun
