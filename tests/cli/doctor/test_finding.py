"""What doctor says of whatever it saw."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.doctor.finding import ESSENTIAL_CHECKS, CheckFinding, CheckVerdict, exit_code, run_checks
from cli.doctor.installation import checks as installation
from cli.doctor.system import checks as systems
from shared.core import topics
from tests.support.runtime.installation import (
    DOUBTFUL,
    HALVES,
    HEALTHY,
    OPS,
    SILENT,
    UNKNOWN,
    VALUES,
    WELL,
    WRONG,
)

CHECKS = {*installation.CHECKS, *systems.CHECKS}
CLAIMS = {
    *("anchors", "apis", "clock", "dead-man", "deployed", "publishers", "readers", "schemas"),
    *("subscriptions", "alert-ids", "alert-policies", "metric-names", "queries", "request-log"),
    *("channels", "data", "expiry", "invokers", "probes", "secret-settings"),
    *("sign-ins", "triggers", "write-quota", "sources"),
    *("proof", "kept", "image-cleanup", "functions", "services", "revisions", "routers", "metrics", "looks"),
    *("hosting", "remote-config", "identity", "indexes", "schedules", "accounts"),
    *("exports", "backup-proof", "native-backups", "assets", "status-page"),
}
"""Those that look at a claim that no test here can verify, as docs/unverified.md says."""


def row(check: str, verdict: CheckVerdict) -> CheckFinding:
    return CheckFinding(check, "", verdict, "")


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([row("mode", DOUBTFUL), row("code", UNKNOWN)], 0),
        ([row("topics", UNKNOWN)], 3),
        ([row("topics", UNKNOWN), row("probes", WRONG)], 1),
    ],
)
def test_the_exit_code(findings: list[CheckFinding], code: int) -> None:
    """Wrong outweighs unknown; unknown counts where it is essential; doubts do not."""
    assert exit_code(findings) == code


def test_every_row_is_of_a_known_check_and_every_error_is_told() -> None:
    """Whatever could not be seen, in order, and by the name of the check that lacks it."""
    blind = replace(
        HEALTHY,
        **dict.fromkeys(("clock_difference", "topics", "subscriptions", "functions"), SILENT),
        grants=dict.fromkeys(topics.ALL_TOPICS, SILENT),
        bucket_grants={VALUES: SILENT},
        sign_in={OPS: SILENT},
        project_grants=SILENT,
        measured=SILENT,
        dead_man=SILENT,
        ticks=dict.fromkeys(HALVES, SILENT),
        due_since={"notice": SILENT},
        unanchored_since=SILENT,
    )
    findings = [*run_checks(installation.CHECKS, blind)]
    checks = [one.check for one in findings]

    assert checks == sorted(checks, key=list(installation.CHECKS).index)
    assert [one.check for one in findings if one.verdict is WELL] == []
    assert CHECKS > ESSENTIAL_CHECKS


def test_the_page_names_the_checks_that_look_at_its_claims() -> None:
    """Each row of unverified.md names a check, or none; each check that looks has a row."""
    page = (Path(__file__).parent.parent.parent.parent / "docs" / "unverified.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    named = [re.search(r"\| (?:\u2013|`([a-z-]+)`) \|$", line) for line in rows]

    assert [line for line, found in zip(rows, named, strict=True) if found is None] == []
    assert {found[1] for found in named if found} - {None} == CLAIMS
    assert CHECKS > CLAIMS
