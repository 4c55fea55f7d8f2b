from collections.abc import Callable
from datetime import timedelta
from math import log
from random import Random

import pytest
from msgspec.structs import replace

from shared.domain.deployments.inventory.inventory_parts import HostingSite
from shared.domain.deployments.restorability import FINALIZED
from shared.domain.incidents.recovery_times import measure_recovery
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.reports.phases import incident_totals, rollback_phases
from shared.domain.rollback.plan import unreached_steps
from shared.policy_files import loader
from tests.support.fakes.resources import FakeEstate
from tests.support.fakes.runtime.clock import START
from tests.support.rollbacks.large_rollback import (
    COMMIT_SECONDS,
    QUOTA,
    BucketLimit,
    LanePorts,
    LargeRollback,
    MinuteLimit,
    QuotaLimit,
)
from tests.support.runtime.world import POLICIES, World

FUNCTIONS = 127


def eight_seconds(random: Random) -> float:
    return 8.0


def heavy_tailed(random: Random) -> float:
    return random.lognormvariate(log(8.0), 0.5)


@pytest.mark.parametrize(("took", "seed"), [(eight_seconds, 0), *((heavy_tailed, seed) for seed in range(2))])
def test_very_many_functions_come_back_nearly_as_fast_as_the_quota_lets_them(
    took: Callable[[Random], float], seed: int
) -> None:
    """At least 0.93 of the bound, nothing undone, at most 1 % of the writes refused by quota.

    `make slice` has `benchmarks.rollback_speed` do the same with rebuilds and a thousand functions.
    """
    reached = LargeRollback(FUNCTIONS, took, seed=seed).roll_back()

    assert reached.ratio >= 0.93
    assert reached.undone == 0
    assert reached.refused_share <= 0.01


@pytest.mark.parametrize("kills", [{2}, {31}, {61}, {100}, {20, 50, 80, 110}])
def test_a_worker_that_dies_in_the_middle_spends_no_quota_twice(kills: set[int]) -> None:
    """Whenever a worker dies, the next one knows of each write that was, or may have been, sent."""
    bulk = LargeRollback(FUNCTIONS, eight_seconds)
    bulk.kills = set(kills)

    reached = bulk.roll_back()

    assert bulk.kills == set()
    assert reached.claims > len(kills)
    assert (reached.refused_by_quota, reached.undone) == (0, 0)
    assert reached.ratio >= 0.9


def test_of_a_quota_that_systems_share_each_spends_its_part_and_no_more() -> None:
    """What another system has is not spent, and what is ours is: as near to its bound as ever."""
    half = WriteQuota(QUOTA.burst, QUOTA.per_second, share=0.5)

    reached = LargeRollback(FUNCTIONS, eight_seconds, quota=half).roll_back()

    assert (reached.refused_by_quota, reached.undone) == (0, 0)
    assert reached.ratio >= 0.93


@pytest.mark.parametrize(
    ("limit", "refused_at_most"),
    [
        (lambda now: MinuteLimit(60), 4),
        (lambda now: BucketLimit(WriteQuota(QUOTA.burst, QUOTA.per_second / 2), now), 13),
        (lambda now: BucketLimit(WriteQuota(20, QUOTA.per_second), now), 41),
    ],
    ids=["fixed minutes", "half the rate", "a third of the burst"],
)
def test_a_quota_of_another_shape_is_learnt(
    limit: Callable[[float], QuotaLimit], refused_at_most: int
) -> None:
    """The declared quota is not trusted: refusals teach it, and nothing is left undone.

    What of the first burst is too much is on its way before the first refusal is known.
    """
    bulk = LargeRollback(FUNCTIONS, eight_seconds)
    bulk.limit = limit(bulk.now)

    reached = bulk.roll_back()

    assert reached.undone == 0
    assert reached.refused_by_quota <= refused_at_most


CVPLUS = loader.load_policy(POLICIES / "cvplus.yaml")
TOLD = replace(CVPLUS, probes=tuple(replace(probe, signal=None) for probe in CVPLUS.probes))


def site(estate: FakeEstate) -> None:
    estate.sites = {"cvplus": HostingSite("v1", START)}
    estate.statuses = dict.fromkeys((("cvplus", "v1"), ("cvplus", "v2")), FINALIZED)


def test_all_of_cvplus_is_back_within_five_minutes() -> None:
    """Its site and its 151 functions, each of them 8 s on its way; every phase tells its time."""
    ports = LanePorts(TOLD)
    world = World(policy=TOLD, ports=ports, furnish=site)
    stable = world.live
    ports.beside.sites["cvplus"] = HostingSite("v2", START)
    world.deploy_bad()
    world.announce("bad")
    world.settle()
    ports.world.limit_writes(QUOTA)
    ports.world.operation_latency = timedelta(seconds=8)
    ports.store.hook = lambda verb, side: (
        ports.clock.sleep(COMMIT_SECONDS) if (verb, side) == ("store.commit", "after") else None
    )
    ports.prober.down = lambda probe: probe == "site" and ports.beside.sites["cvplus"].version != "v1"
    began_at = ports.clock.now()

    world.alert(signal="frontend_unavailable", started_at=began_at)
    world.pass_time(timedelta(minutes=6))

    [incident], [rollback] = world.incidents(), world.rollbacks()
    assert rollback.plan is not None
    assert rollback.plan.scenario == "complete"
    assert unreached_steps(world.steps(rollback.id)) == []
    assert (world.live, len(stable)) == (stable, 151)
    told = rollback_phases(incident, rollback, world.trail(rollback), began_at, incident.detected_at, TOLD)
    took = {one.name: one.duration for one in told}
    times = measure_recovery(TOLD, incident, [rollback])
    restored, recovered, *_ = incident_totals(times, [], TOLD)
    assert restored.duration is not None
    assert restored.duration < timedelta(minutes=5)
    assert recovered.duration is not None  # verified by counts, which the fake shows minutes later
    assert recovered.duration > restored.duration
    assert took["decision"] + took["execution"] == restored.duration  # type: ignore[operator]
    assert took["detection"] is not None
    assert took["confirmation by probes"] is not None
