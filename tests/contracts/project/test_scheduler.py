"""What every Timetable tells, in memory and over the wire to an embedded Cloud Scheduler."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.services.scheduler.jobs import SchedulerService
from shared.adapters.gcp.project.scheduler import HOST, CloudSchedulerRuns
from shared.core.errors import Rejected, Unavailable
from shared.ports.operations_project import JobRun, SchedulerRuns
from tests.contracts.support.rest import connected, served
from tests.contracts.support.worlds import both_worlds
from tests.support.fakes.project.scheduler_runs import MemoryTimetable
from tests.support.fakes.runtime.clock import START

PROJECT, REGION, JOB = "operations", "us-east1", "rollback-dead-man"
NAME = f"projects/{PROJECT}/locations/{REGION}/jobs/{JOB}"
LATER = START + timedelta(minutes=1)


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        memory = MemoryTimetable()
        memory.kept = {REGION: {JOB: JobRun(enabled=True, at=START)}}
        self.timetable: SchedulerRuns = memory
        self._runs = memory.kept[REGION]

    def ran(self, code: int) -> None:
        self._runs[JOB] = JobRun(enabled=True, at=LATER, code=code)


class OverTheWire:
    """The adapter, beside the embedded product."""

    def __init__(self, scheduler: SchedulerService, timetable: CloudSchedulerRuns) -> None:
        self.timetable: SchedulerRuns = timetable
        self._scheduler = scheduler

    def ran(self, code: int) -> None:
        self._scheduler.record_run(NAME, LATER, code)


TimetableWorld = InMemory | OverTheWire
"""One job in one region, and a hand that runs it."""


@pytest.fixture
def wire() -> Iterator[OverTheWire]:
    scheduler = SchedulerService(CloudClock(START, scale=0), Journal())
    scheduler.provision(PROJECT, REGION, JOB, "https://switch.example/", START)
    with served(HOST, scheduler.calls()) as rest:
        yield OverTheWire(scheduler, CloudSchedulerRuns(rest, PROJECT))


world = both_worlds(InMemory)


def test_how_a_job_went_last(world: TimetableWorld) -> None:
    """When it was tried, and with which code it ended; 0 is well."""
    assert world.timetable.regions() == [REGION]
    assert world.timetable.runs(REGION) == {JOB: JobRun(enabled=True, at=START)}

    for code in (13, 0):
        world.ran(code)
        assert world.timetable.runs(REGION) == {JOB: JobRun(enabled=True, at=LATER, code=code)}


def test_a_region_without_jobs(world: TimetableWorld) -> None:
    """There are none, and nothing is amiss."""
    assert world.timetable.runs("europe-west1") == {}


@pytest.mark.parametrize(
    ("job", "run"),
    [
        ({"name": NAME, "state": "PAUSED"}, JobRun(enabled=False)),
        ({"name": NAME, "state": "ENABLED", "status": {"code": -1}}, JobRun(enabled=True, code=-1)),
        (
            {"name": NAME, "state": "ENABLED", "lastAttemptTime": "2026-03-01T12:00:00.123456001Z"},
            JobRun(enabled=True, at=START.replace(2026, 3, 1, 12, 0, 0, 123456)),
        ),
    ],
)
def test_a_job_as_google_writes_it(job: dict[str, object], run: JobRun) -> None:
    """Paused; not known how it ended; with nanoseconds."""
    [listing] = [
        one
        for one in SchedulerService(CloudClock(START), Journal()).calls()
        if one.name == "projects.locations.jobs.list"
    ]
    with served(HOST, [listing._replace(answer=lambda _: {"jobs": [job]})]) as rest:
        timetable = CloudSchedulerRuns(rest, PROJECT)
        assert timetable.runs(REGION) == {JOB: run}
        with pytest.raises(Rejected):  # a refusal is no list of none
            timetable.regions()


def test_a_scheduler_that_does_not_answer() -> None:
    """Nothing is known then: no job is absent for that."""
    with connected(HOST) as rest, pytest.raises(Unavailable):
        CloudSchedulerRuns(rest, PROJECT).regions()
