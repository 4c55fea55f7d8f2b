"""A system that is backed up by exports, and what is kept of them."""

from datetime import timedelta

from msgspec.structs import replace

from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.data.backups.export import Backup
from shared.domain.policy.resources import BackupRules
from tests.support.fakes.runtime.hooks import Hook, no_hook
from tests.support.faults.fault_injection import shorten_watch
from tests.support.notices import system_events
from tests.support.runtime.world import World

HERE, THERE = "exports", "exports-second"
MINUTE = timedelta(minutes=1)
RULES = BackupRules(bucket=HERE, second=THERE, collections=("users", "orders"))
POLICY = replace(shorten_watch(), backups=RULES)
NAME = "bookshop-20260302T1200Z"


def build_system_with_exports(hook: Hook = no_hook, rules: BackupRules = RULES) -> World:
    """A system with 30 users, 20 orders and 5 others, at noon."""
    made = World(hook, replace(POLICY, backups=rules))
    made.ports.mirrors.buckets = {HERE: {}, THERE: {}}
    made.ports.databases.hold_documents("(default)", users=30, orders=20, others=5)
    paths = [f"{name}/{n}" for name, count in (("users", 30), ("orders", 20)) for n in range(count)]
    made.ports.kept.write("(default)", {path: {} for path in paths})
    made.ports.clock.advance(MINUTE)
    return made


def read_catalogue(world: World) -> list[Backup]:
    found = world.ports.store.query(Query("backups"))
    return [decode(Backup, one.fields) for one in found]


def only_backup(world: World) -> Backup:
    [found] = read_catalogue(world)
    return found


def backup_event_names(world: World) -> list[str]:
    """The turns that are written down, in order."""
    return [one.removeprefix("backup.") for one in system_events.system_event_names(world, "backup.")]
