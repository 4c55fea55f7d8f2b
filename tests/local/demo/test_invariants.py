"""What the checks after a demo or a kill say of the notices."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from local.demo.invariants import find_wrong_deliveries
from shared.domain.notices.notice import Notice, NoticeStatus, WithdrawalCondition
from shared.domain.policy.severity import Severity

PAGE = Notice(
    id="INC-20261130-001:on-call-2-critical:night-shift",
    incident="INC-20261130-001",
    system="bookshop",
    event="on-call-2-critical",
    channel="night-shift",
    severity=Severity.CRITICAL,
    text="Nobody has acknowledged INC-20261130-001.",
    created_at=datetime(2026, 11, 30, tzinfo=UTC),
    due_at=None,
    since=datetime(2026, 11, 30, tzinfo=UTC),
    lane="INC-20261130-001:night-shift",
    unless=WithdrawalCondition.ACKNOWLEDGED,
    status=NoticeStatus.SENT,
    attempts=1,
)


def test_a_notice_sent_once_is_right() -> None:
    assert list(find_wrong_deliveries([PAGE], disturbed=False)) == []


def test_the_second_attempt_at_a_page_may_find_its_reason_gone_after_a_kill() -> None:
    withdrawn = replace(PAGE, status=NoticeStatus.WITHDRAWN)
    assert list(find_wrong_deliveries([withdrawn], disturbed=True)) == []
    assert list(find_wrong_deliveries([withdrawn], disturbed=False)) == [
        "INC-20261130-001:on-call-2-critical:night-shift: WITHDRAWN after 1 attempts"
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(PAGE, unless=WithdrawalCondition.NOTHING, status=NoticeStatus.WITHDRAWN),
        replace(PAGE, status=NoticeStatus.PENDING),
        replace(PAGE, status=NoticeStatus.UNDELIVERABLE),
    ],
)
def test_a_notice_that_nobody_got_is_wrong_after_a_kill_too(wrong: Notice) -> None:
    assert len(list(find_wrong_deliveries([wrong], disturbed=True))) == 1
    assert list(find_wrong_deliveries([PAGE, PAGE], disturbed=True)) == [
        "INC-20261130-001, on-call-2-critical, night-shift: 2 notices"
    ]
