"""The page about the embedded cloud says what the code does."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.__main__ import _options
from local.cloud import ADDRESS_NAMES, Cloud
from local.control.service import ControlPlane
from local.services.monitoring.signal_rules import RULES
from tests.local.support.run import ORIGIN, policy
from tests.support.runtime.embedded_cloud import embedded_cloud

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "embedded-cloud.md").read_text()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with embedded_cloud(policy(), at=ORIGIN, alerter=True, ticks=True) as cloud:
        yield cloud


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its head."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \|$", section, re.MULTILINE)[1:]
    return [row.split(" | ") for row in rows]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_call_in_the_table_is_served_and_no_other(cloud: Cloud) -> None:
    """Table and code name the same calls of the same services."""
    served: dict[str, set[str]] = defaultdict(set)
    for call in cloud.calls:
        service, _, name = call.partition("/")
        served[service].add(name)

    told = {quoted(row[0])[0]: set(quoted(row[2])) for row in table("What is served")}

    assert told == served


def test_each_service_names_an_address_and_its_checks(cloud: Cloud) -> None:
    """The address is one of the cloud's, and what checks it is there."""
    for _, address, _, _, checks in table("What is served"):
        assert address in ADDRESS_NAMES
        for check in quoted(checks):
            if check.startswith("tests/"):
                assert list(ROOT.glob(check)), check


def test_each_verb_in_the_table_is_answered(cloud: Cloud) -> None:
    """None is unknown to the control plane, and the plane's own description knows the same."""
    told = {quoted(row[0])[0] for row in table("The control plane")}
    described = re.findall(r"^    (GET|POST|PUT|DELETE) +(\S+)", ControlPlane.__doc__ or "", re.M)

    assert told == {" ".join(verb) for verb in described}
    for verb in told:
        method, _, path = verb.partition(" ")
        answer = httpx.request(method, f"http://{cloud.addresses['control']}{path}")
        assert answer.status_code in (200, 400), verb


def test_each_signal_in_the_table_is_evaluated_and_no_other() -> None:
    """Table and rules name the same signals."""
    assert {quoted(row[0])[0] for row in table("The application under protection")} == set(RULES)


def test_each_option_on_the_page_exists() -> None:
    """The command line knows every option that the page names."""
    values = {
        "--origin": "2026-03-01",
        "--concurrency": "optimistic",
        "--port": "run=1",
        "--project": "shop-operations",
    }
    opening = PAGE.partition("\n## ")[0]
    for option, wants in re.findall(r"`(--[a-z-]+)( [A-Z=]+)?`", opening):
        value = [values.get(option, "1")] if wants else []
        assert _options([option, *value]), option
