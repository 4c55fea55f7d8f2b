"""Each function runs as the account that its grants are for."""

from itertools import combinations

import pytest

from shared.core.topics import ALL_TOPICS, ENTRY_POINTS
from tests.terraform.checks import account_of, functions, permissions, publishers
from tests.terraform.conftest import configuration
from tests.terraform.runtime_accounts import PUBLISH, account_faults, required_permissions

ACCOUNTS = {"on_alert": "alert@shop", "on_work": "work@shop"}
REQUIRED = {"on_alert": {"shop": {"read"}}, "on_work": {"shop": {"read", "write"}, "bucket": {"read"}}}
GRANTED = {account: REQUIRED[entry_point] for entry_point, account in ACCOUNTS.items()}


def test_accounts_with_their_own_grants() -> None:
    """Nothing is found."""
    assert list(account_faults(ACCOUNTS, {*ACCOUNTS.values()}, GRANTED, REQUIRED)) == []


@pytest.mark.parametrize(
    ("accounts", "existing", "found"),
    [
        (
            {"on_alert": "work@shop", "on_work": "alert@shop"},
            {"alert@shop", "work@shop"},
            {
                "on_alert: work@shop may also ['read'] in bucket",
                "on_alert: work@shop may also ['write'] in shop",
                "on_work: alert@shop may not ['read'] in bucket",
                "on_work: alert@shop may not ['write'] in shop",
            },
        ),
        (ACCOUNTS, {"alert@shop"}, {"on_work: work@shop is not there, or disabled"}),
        (
            {"on_work": "work@shop", "on_clock": "work@shop"},
            {"work@shop"},
            {f"{one}: work@shop is that of 2 functions" for one in ("on_work", "on_clock")},
        ),
    ],
    ids=["swapped", "absent", "shared"],
)
def test_an_account_that_is_not_the_declared_one(
    accounts: dict[str, str], existing: set[str], found: set[str]
) -> None:
    """It is named, with what it may and may not do."""
    required = {**REQUIRED, "on_clock": REQUIRED["on_work"]}

    assert {*account_faults(accounts, existing, GRANTED, required)} == found


def test_any_two_accounts_of_the_module() -> None:
    """No two functions require the same: swapped accounts are always seen."""
    minimal = configuration("minimal")
    accounts = {one: account_of(functions(minimal)[one]) for one in ENTRY_POINTS}
    granted = {
        accounts[one]: {place: may - {PUBLISH} for place, may in permissions(minimal, one).items()}
        for one in ENTRY_POINTS
    }
    for topic in ALL_TOPICS:
        publishing = {one.removeprefix("serviceAccount:") for one in publishers(minimal)[topic]}
        for account in granted.keys() & publishing:
            granted[account][topic] = {PUBLISH}
    required = required_permissions("minimal")
    existing = {*accounts.values()}

    assert list(account_faults(accounts, existing, granted, required)) == []
    for one, other in combinations(accounts, 2):
        swapped = {**accounts, one: accounts[other], other: accounts[one]}
        assert list(account_faults(swapped, existing, granted, required)), (one, other)
