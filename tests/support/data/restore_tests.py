"""A system whose newest backup is restored each day, and what that comes to."""

from datetime import timedelta

from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.backups.restore_test import RestoreTest
from shared.domain.policy.resources import BackupRules, ProofRules
from tests.support.fakes.firestore.restores import ORIGINAL
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices import system_events
from tests.support.runtime.world import EXAMPLE, World

HERE, THERE = "exports", "exports-second"
MINUTE = timedelta(minutes=1)
RULES = BackupRules(bucket=HERE, second=THERE, collections=("customers", "orders"), proof=ProofRules())
POLICY = replace(shorten_watch(), backups=RULES, collections=EXAMPLE.collections)
DOCUMENTS = {f"customers/{number}": {"email": f"{number}@example.com"} for number in range(30)} | {
    f"orders/{number}": {"status": "open", "customer": str(number)} for number in range(20)
}


def build_system_with_restore_tests(rules: BackupRules = RULES, hook: Hook = no_hook) -> World:
    """A system with 30 customers and 20 orders."""
    made = World(hook, replace(POLICY, backups=rules))
    made.ports.mirrors.buckets = {HERE: {}, THERE: {}}
    made.ports.kept.write(ORIGINAL, DOCUMENTS)
    made.ports.databases.hold_documents(ORIGINAL, customers=30, orders=20)
    made.ports.clock.advance(MINUTE)
    return made


def read_proofs(world: World) -> list[RestoreTest]:
    found = [decode(RestoreTest, one.fields) for one in world.ports.store.query(Query("proofs"))]
    return sorted(found, key=lambda one: one.began_at)


def only_proof(world: World) -> RestoreTest:
    [found] = read_proofs(world)
    return found


def proof_event_names(world: World) -> list[str]:
    return [one for one in system_events.system_event_names(world) if "prove" in one or "restor" in one]


def notified_events(world: World) -> list[str]:
    found = world.ports.store.query(Query("notices"))
    texts = [str(one.fields["text"]) for one in found if one.fields]
    return sorted({one for one in texts if "proven" in one})
