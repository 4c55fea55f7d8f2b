"""A change of what is live, and whether it may be gone back to."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from shared.core.codec import FrozenStruct, StoredDocument, system_documents_of
from shared.core.durations import format_minute
from shared.core.text import count_noun, last_segment
from shared.domain.deployments.build_recipe import EXPECTED_REBUILD_SECONDS
from shared.domain.deployments.inventory.diff import Difference
from shared.domain.deployments.inventory.inventory_parts import FunctionState
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.inventory.traffic import Revision, Scaling, Service, Traffic, traffic_shares

deployment_path = system_documents_of("deployments")

T = TypeVar("T")
TAKEN_BACK_REASON = "taken back by "
"""How the reason of a BAD deployment begins that a rollback removed; its id follows."""


class DeploymentStatus(StrEnum):
    """What is known of a deployment."""

    ROLLING_OUT = "ROLLING_OUT"
    LIVE = "LIVE"
    STABLE = "STABLE"
    BAD = "BAD"


IMAGE_WARNING = timedelta(days=7)
"""So long before clean-up policies may delete its first image, people are told."""
_BUILD_TIME = f"about {EXPECTED_REBUILD_SECONDS:.0f} s each"
MARKED_STATUSES = frozenset({DeploymentStatus.STABLE, DeploymentStatus.BAD})
"""Kept for ever: where one may go back to, and where nobody may."""


class LiveFunction(FrozenStruct):
    """A function as found: the service behind it and the revisions that it has."""

    function: str
    service: Service
    revisions: tuple[Revision, ...]

    def revision(self, name: str) -> Revision | None:
        """The revision of that short name, None when it is gone."""
        return next((known for known in self.revisions if known.name == name), None)


Inventory = dict[str, LiveFunction]
"""What is really live, by function name."""


class Placement(FrozenStruct):
    """What one function served in a deployment."""

    service: str
    traffic: Traffic
    """Verbatim."""
    revisions: dict[str, int]
    """Percent per revision, LATEST resolved."""
    scaling: Scaling | None = None
    """Of the service; None: it was not recorded."""


class Restorability(FrozenStruct):
    """Whether all is there that going back to a deployment needs, as far as that was looked at."""

    checked_at: datetime
    faults: tuple[str, ...] = ()
    """What is missing, one line each; none: nothing is known to be."""
    unknown: tuple[str, ...] = ()
    rebuild: tuple[str, ...] = ()
    """Why not each of its functions could be built again, should its image be gone."""
    rebuilt: int = 0
    """How many of its functions must be built again, because their images are gone."""
    images_until: datetime | None = None
    """From when on clean-up policies may delete the first of its images; None: no time is known."""

    @property
    def image_lines(self) -> tuple[str, ...]:
        """Return what it takes to restore the deployment without its images, now and later."""
        lost = f"{count_noun(self.rebuilt, 'function')} to rebuild, {_BUILD_TIME}: images deleted"
        later = f"functions are rebuilt, {_BUILD_TIME}"
        later = "it cannot be restored completely" if self.rebuild else later
        until = self.images_until and f"images stored until {format_minute(self.images_until)} UTC"
        return (*([lost] if self.rebuilt else []), *([f"{until}, then {later}"] if until else []))

    @property
    def image_warning(self) -> str:
        """Return the line of images that may be deleted within `IMAGE_WARNING`; empty: none are."""
        until = self.images_until
        return self.image_lines[-1] if until and until - self.checked_at <= IMAGE_WARNING else ""


class Deployment(StoredDocument):
    """What served requests from `at` on; all of it lies in its record, a document below it."""

    id: str
    system: str
    at: datetime
    """As near as is known: when its first revision was made, when it was told of, or seen."""
    status: DeploymentStatus
    functions: dict[str, Placement]
    announced_by: str = ""
    """The message that told of it; empty: found by looking."""
    git_hash: str = ""
    barrier: str = ""
    """Why nobody may go back past this deployment by machine; empty: nothing bars."""
    not_before: datetime | None = None
    """What it changed was seen unchanged then; None: nothing is known to have changed."""
    changes: tuple[Difference, ...] = ()
    """From what was live before."""
    changed_at: datetime | None = None
    """When its newest change was seen."""
    observed_at: dict[str, datetime] = {}
    """When a look observed the new traffic, by function that it changed; no entry: at `at`."""
    unserved: dict[str, str] = {}
    """Revisions that are deployed and get no request, by function: a pin or named traffic holds."""
    settled_at: datetime | None = None
    """When it was recorded whole; None: it is rolling out."""
    backup_at: datetime | None = None
    """The whole minute before its first change, as of which the database can be read."""
    health: dict[str, str] = {}
    """What probes and routers said when it was recorded, by what was asked."""
    untested: tuple[str, ...] = ()
    """Changed functions that too few requests have reached to tell whether they are well."""
    reason: str = ""
    """Why it is STABLE or BAD, or not STABLE yet."""
    baked_at: datetime | None = None
    """When a whole bake under traffic made it STABLE; None: no bake did, or it was BAD later."""
    restorable: Restorability | None = None
    """None: nobody has looked yet."""
    let_through: bool = False
    """Whether operators let it serve after a rollback: by unpin, undo, order, or by hand."""
    named: str = ""
    """The announced deployment that this one has turned out to be."""
    due_at: datetime | None = None
    """When it is to settle, to be judged, or proven restorable; None: nothing more is due."""
    expires_at: datetime | None = None

    @property
    def taken_back_by(self) -> str:
        """Return the rollback that removed it; empty: none did."""
        is_removed = self.reason.startswith(TAKEN_BACK_REASON)
        return self.reason.removeprefix(TAKEN_BACK_REASON).partition(" ")[0] if is_removed else ""

    @property
    def changed_functions(self) -> tuple[str, ...]:
        """The functions that it changed."""
        return tuple(one.name for one in self.changes if one.part is InventoryPart.FUNCTIONS)

    @property
    def is_unserved(self) -> bool:
        """Whether no request reaches any of what it changed."""
        names = {*self.changed_functions}
        return bool(names) and len(names) == len(self.changes) and names <= self.unserved.keys()


def placements(functions: Mapping[str, FunctionState]) -> dict[str, Placement]:
    """Return what each function with a service serves now, as a deployment stores it."""
    return {
        name: Placement(one.service, one.traffic, traffic_shares(one.traffic, one.latest), one.scaling)
        for name, one in functions.items()
        if one.service
    }


def rollback_targets(deployments: Iterable[Deployment], most: int) -> list[Deployment]:
    """Return as many newest targets as are kept, the newest stable one among them."""
    found = [
        one
        for one in deployments
        if one.status in (DeploymentStatus.LIVE, DeploymentStatus.STABLE)
        and one.settled_at is not None
        and one.expires_at is None
        and not one.named
    ]
    found.sort(key=lambda one: one.at, reverse=True)
    stable = [one for one in found if one.status is DeploymentStatus.STABLE][:1]
    return found[:most] + [one for one in stable if one not in found[:most]]


def undone_deployments(
    deployments: Iterable[Deployment], target: Deployment, functions: Collection[str]
) -> list[Deployment]:
    """The deployments since `target` that served of `functions` what it does not."""
    return [
        one
        for one in deployments
        if one.at > target.at
        and one.status is not DeploymentStatus.BAD
        and places_differently(one, target, functions)
    ]


def places_differently(one: Deployment, other: Deployment, functions: Collection[str]) -> bool:
    """Return whether two deployments place one of these functions differently."""
    return any(
        function in one.functions
        and function in other.functions
        and one.functions[function].revisions != other.functions[function].revisions
        for function in functions
    )


def counts_by_function(counts: Mapping[str, T], inventory: Inventory) -> dict[str, T]:
    """What was counted per service (short name), told per function instead."""
    return counts_from_services(counts, {name: live.service.name for name, live in inventory.items()})


def counts_from_services(counts: Mapping[str, T], services: Mapping[str, str]) -> dict[str, T]:
    """What was counted per service (short name), told per function; `services` by full name."""
    functions = {last_segment(service): name for name, service in services.items()}
    return {functions[service]: count for service, count in counts.items() if service in functions}


def default_deployment_id(at: datetime) -> str:
    """The runbook's id: deploy_YYYYMMDD_HHMMSS, UTC."""
    return at.astimezone(UTC).strftime("deploy_%Y%m%d_%H%M%S")


def whole_minute_before(moment: datetime) -> datetime:
    """The last whole minute before a moment: point-in-time reads know no finer ones.

    https://firebase.google.com/docs/firestore/pitr, read 2026-11.
    """
    return (moment - timedelta(microseconds=1)).replace(second=0, microsecond=0)


def record_path(system: str, deployment: str) -> str:
    """Where all that was live in a deployment is kept."""
    return f"{deployment_path(system, deployment)}/record/inventory"
