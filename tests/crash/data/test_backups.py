"""A backup disturbed at every point: one whole copy in two places, each time."""

import pytest

from shared.domain.data.backups.export import ExportStatus
from tests.support.data.exports import (
    HERE,
    MINUTE,
    THERE,
    backup_event_names,
    build_system_with_exports,
    only_backup,
)
from tests.support.faults.fault_injection import (
    FaultInjectorHook,
    InjectedFault,
    enumerate_fault_points,
    pass_time_with_fault,
)
from tests.support.runtime.world import World

COUNTED = ("store.commit", "exports.begin", "mirrors.copy", "mirrors.write")


def run(saboteur: FaultInjectorHook) -> World:
    shop = build_system_with_exports(saboteur)
    pass_time_with_fault(shop, saboteur, 6 * MINUTE, 5 * MINUTE)
    return shop


@pytest.mark.parametrize(("fault", "point"), enumerate_fault_points(run, COUNTED))
def test_a_fault_anywhere_leaves_one_whole_backup(fault: InjectedFault, point: int) -> None:
    """Whoever dies, is deaf or stands still, the next one finds what was begun.

    Who stood still with the request in hand begins a second one, in a folder that nobody reads.
    """
    saboteur = FaultInjectorHook(point, fault, COUNTED)

    shop = run(saboteur)

    assert saboteur.happened
    kept = only_backup(shop)
    assert (kept.status, kept.documents, len(kept.places)) == (ExportStatus.KEPT, 55, 2)
    mirrors = shop.ports.mirrors
    there, described = (mirrors.list_objects(THERE, ""), mirrors.list_objects(HERE, kept.configuration))
    assert [*described] == [kept.configuration]
    wanted = mirrors.list_objects(HERE, f"{kept.folder}/") | described
    assert {name: one for name, one in there.items() if name in wanted} == wanted
    assert all(name.endswith(".json") for name in set(there) - set(wanted))
    assert backup_event_names(shop) == ["begun", "copying", "kept"]
    begun = shop.ports.databases.begun
    assert len(set(begun)) == len(begun) <= (2 if fault is InjectedFault.ZOMBIE else 1)
    assert kept.places[0] in begun
