"""Who has raised an alert, by its id and its notification."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.domain.signals.alert import Alert, EvidenceSource, create_alert

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIXTURES = Path(__file__).parent.parent.parent.parent / "fixtures" / "monitoring"


def received(name: str, notification: str = "{}") -> Alert:
    return create_alert(name, "open", "bookshop", "any", started_at=NOON, now=NOON, notification=notification)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("0.abc", EvidenceSource.MONITORING),
        ("probe", EvidenceSource.MONITORING),
        ("probe:bookshop:frontend_unavailable:20260302T120000Z", EvidenceSource.PROBES),
        ("integrity:bookshop:orders", EvidenceSource.DOCUMENTS),
        ("finding:organizations/1/sources/2", EvidenceSource.FINDING),
        ("declared:command-1", EvidenceSource.PERSON),
    ],
)
def test_each_alert_has_a_source(name: str, source: EvidenceSource) -> None:
    """What the responders and people raise carries a prefix; all else is Cloud Monitoring's."""
    assert received(name).source is source
    assert received(name).is_of_monitoring is (source is EvidenceSource.MONITORING)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("uptime_open_2020.json", EvidenceSource.UPTIME_CHECKS),
        ("threshold_open_gce_2022.json", EvidenceSource.MONITORING),
    ],
)
def test_an_uptime_check_is_a_probe_from_other_regions(file: str, source: EvidenceSource) -> None:
    """By the captured notification: Cloud Monitoring tells of it, and its metrics do not."""
    alert = received("0.abc", (FIXTURES / file).read_text())

    assert (alert.source, alert.is_of_monitoring) == (source, True)
