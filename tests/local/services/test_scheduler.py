"""Which schedules a job may have."""

import pytest

from local.cloud import Cloud
from local.services.scheduler.schedules import is_schedule
from tests.local.support.rest import Product

JOBS = "/v1/projects/shop/locations/europe-west1/jobs"
NAME = "projects/shop/locations/europe-west1/jobs/tick"


@pytest.mark.parametrize(
    "schedule",
    [
        *("* * * * *", "*/5 0-6,22 1,15 jan-MAR mon", "0 3 * * 7", "every 5 minutes", "every day 09:00"),
        *("every 2 hours from 10:00 to 14:00", "every 1 hours synchronized", "every mon,thursday 9:30"),
        *("1st,third monday of month 04:05", "2nd day of january,june 00:00"),
    ],
)
def test_a_schedule(schedule: str) -> None:
    """Of cron, or as App Engine writes it."""
    assert is_schedule(schedule)


@pytest.mark.parametrize(
    "schedule",
    [
        *("", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "* * * * mai", "a b c d e"),
        *("every day maybe", "every day", "every 5 days", "every day 25:00", "1- * * * *"),
    ],
)
def test_what_is_no_schedule(schedule: str) -> None:
    """A value out of its range, or words that mean nothing."""
    assert not is_schedule(schedule)


@pytest.mark.parametrize("wrong", [{"schedule": "every day maybe"}, {"timeZone": "Mars/X"}])
def test_a_job_that_would_never_run(cloud: Cloud, wrong: dict[str, str]) -> None:
    """It is refused, made or changed."""
    scheduler = Product(cloud, "cloudscheduler.googleapis.com")
    job = {"name": NAME, "schedule": "* * * * *", "timeZone": "Europe/Berlin", "httpTarget": {"uri": "x"}}

    assert scheduler.refused("POST", JOBS, {**job, **wrong}) == "INVALID_ARGUMENT"
    scheduler.done("POST", JOBS, job)
    assert scheduler.refused("PATCH", f"/v1/{NAME}?updateMask={min(wrong)}", wrong) == "INVALID_ARGUMENT"
    scheduler.done("DELETE", f"/v1/{NAME}")
