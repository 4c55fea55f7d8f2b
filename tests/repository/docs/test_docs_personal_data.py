"""`docs/personal-data.md` beside the code: its tests, its periods, and who has which grant."""

import ast
import re

import pytest

from shared.adapters.gcp.permissions import GRANTS, GrantScope
from shared.domain.retention import PUBLIC_RETENTION, RECORD_RETENTION
from tests.support.cli.documented_commands import MODULE, ROOT

PAGE = (ROOT / "docs" / "personal-data.md").read_text()


@pytest.mark.parametrize("named", sorted({*re.findall(r"`(tests/[\w/.:]*)`", PAGE)}))
def test_each_test_of_the_page_is_there(named: str) -> None:
    """By its file and function."""
    path, _, function = named.partition("::")
    body = ast.parse((ROOT / path).read_text()).body

    assert function in [one.name for one in body if isinstance(one, ast.FunctionDef)]


@pytest.mark.parametrize(
    ("row", "days"),
    [
        ("incidents, rollbacks, notices, commands, audit log, reports", RECORD_RETENTION.days),
        ("what the status page showed", PUBLIC_RETENTION.days),
    ],
)
def test_the_periods_of_the_product(row: str, days: int) -> None:
    """As the code has them."""
    assert f"\n| {row} | {days} days" in PAGE


@pytest.mark.parametrize(
    ("row", "variable", "key"),
    [
        ("copies of replaced documents (quarantine)", "quarantine", "days"),
        ("exports", "exports", "retention_days"),
        ("heads of the audit chains: hashes alone", "audit_bucket", "retention_days"),
    ],
)
def test_the_periods_of_terraform(row: str, variable: str, key: str) -> None:
    """The default of the variable that the row names."""
    declared = re.search(rf'variable "{variable}" {{(.*?)\n}}', MODULE, re.DOTALL)
    assert declared is not None
    default = re.search(rf"\b{key}\s+= optional\(number, (\d+)\)", declared[1])
    assert default is not None

    assert re.search(rf"\n\| {re.escape(row)} \| {default[1]} days \| `{variable}\.{key}`", PAGE)


def test_google_s_backups() -> None:
    """Days and weeks as Terraform sets them by default."""
    [daily] = re.findall(r"daily_days\s+= optional\(number, (\d+)\)", MODULE)
    [weekly] = re.findall(r"weekly_weeks\s+= optional\(number, (\d+)\)", MODULE)

    assert f"| Google's backups | daily {daily} days, weekly {weekly} weeks |" in PAGE


def test_who_reads_what() -> None:
    """The entry points with a grant on quarantine, and on documents of applications."""
    quarantine = {
        name for name, of in GRANTS.items() if any(one.scope is GrantScope.QUARANTINE_BUCKET for one in of)
    }
    documents = {
        name
        for name, of in GRANTS.items()
        if any(one.adapter.startswith(("firestore.documents", "firestore.rewrites")) for one in of)
    }

    assert quarantine == {"on_work"}
    assert "| copies of replaced documents | `on_work`, and owners of the operations project |" in PAGE
    assert documents == {"on_clock", "on_work", "on_notice"}
    assert "| documents of the application | `on_clock` and `on_work`; `on_notice` where" in PAGE
