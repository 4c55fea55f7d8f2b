"""The data looked through: what is found, since when, who is suspected, and what comes of it."""

import shlex
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cli.switches.upkeep import integrity_lines
from responders.jobs.data_check import RESTORE_HINT
from shared.core import topics
from shared.core.codec import decode
from shared.core.errors import Rejected, Unavailable
from shared.core.store import Query
from shared.domain.data.integrity import damage
from shared.domain.data.integrity.scan import describe_coverage
from shared.domain.notices.notice import Notice
from shared.domain.policy.data_rules import IntegrityRules
from shared.domain.policy.scenario_names import Mode, ScenarioName
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.data.data_checks import GOOD, HERE, HOUR, SHOP, CheckedShop
from tests.support.fakes.runtime.hooks import raise_error
from tests.support.runtime.world import World

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("wrong", "signal", "reason"),
    [
        (
            {"orders/2": {"customer": "nobody"}},
            "database_corruption",
            "orders: 1 of 2 documents fail (reference)",
        ),
        (
            {"customers/eve": {"name": "Eve"}},
            "database_corruption",
            "customers: 1 of 21 documents fail (schema)",
        ),
        (
            {"orders/1": {"customer": "ada", "status": "paid"}},
            "database_corruption",
            "orders: 1 of 1 documents fail (query)",
        ),
        ({"covers/2": {"file": "2.png"}}, "data_loss", "covers: 1 of 21 documents fail (media)"),
    ],
)
def test_each_kind_of_damage(wrong: dict[str, Any], signal: str, reason: str) -> None:
    """It is found by the next run, becomes an alert, and is over with the first run without it."""
    shop = CheckedShop()
    assert shop.alerts() == []
    shop.write(wrong)

    [finding] = shop.look().findings
    assert (finding.signal, finding.reason) == (signal, reason)
    [alert] = shop.alerts()
    assert (alert.signal, alert.state, alert.started_at) == (signal, "open", finding.onset_at)
    assert not alert.is_of_monitoring
    assert shop.look().findings == (found_again := replace(finding, recorded="open"),)
    assert found_again.id("bookshop") == alert.monitoring_id

    shop.write({path: GOOD.get(path) for path in wrong})
    assert shop.look().findings == ()
    assert sorted(one.state for one in shop.alerts()) == ["closed", "open"]


def test_whoever_is_told_of_damage_is_told_the_way_back() -> None:
    """The line in the notice is one that the command line takes."""
    shop = CheckedShop()
    shop.write({"customers/eve": {"name": "Eve"}})
    shop.look()
    told = [decode(Notice, one.fields) for one in shop.store.query(Query("notices"))]
    lines = [line for one in told for line in one.text.split("\n") if RESTORE_HINT in line]
    words = shlex.split(lines[0].partition(f"{RESTORE_HINT}: ")[2])
    assert words[:2] == ["rollback", "run"]
    said = dict(zip(words[2::2], words[3::2], strict=True))
    assert said == {
        "--system": "bookshop",
        "--scenario": "database",
        "--select": "invalid",
        "--reason": "damage",
    }


@pytest.mark.parametrize(("content", "reason"), [(b"", "it is empty"), (None, "it cannot be read (400)")])
def test_a_file_that_is_there_and_cannot_be_read(content: bytes | None, reason: str) -> None:
    """It becomes an alert that says what is wrong, and is over once the file reads."""
    shop = CheckedShop()
    shop.write({"covers/2": {"file": "2.png"}})
    shop.ports.media.files["gs://shop-media/2.png"] = b"x"
    assert shop.look().findings == ()
    shop.ports.media.files["gs://shop-media/2.png"] = content

    [finding] = shop.look().findings
    assert (finding.signal, finding.reason) == ("data_loss", "covers: 1 of 21 documents fail (media)")
    assert [(one.path, one.reason) for one in finding.samples] == [("covers/2", f"file: {reason}")]
    assert [(one.signal, one.state) for one in shop.alerts()] == [("data_loss", "open")]

    shop.ports.media.files["gs://shop-media/2.png"] = b"x"
    assert shop.look().findings == ()
    assert sorted(one.state for one in shop.alerts()) == ["closed", "open"]


def test_documents_that_are_gone() -> None:
    """A drop of 30 % is a loss, to the minute; as much as is tolerated is none."""
    shop = CheckedShop()
    shop.write({f"covers/{number}": {} for number in range(2, 82)})
    shop.look()
    shop.write({f"covers/{number}": None for number in range(2, 22)})
    assert shop.look().findings == ()
    shop.advance_clock(timedelta(minutes=17, seconds=20))
    gone_at = shop.now
    shop.write({f"covers/{number}": None for number in range(22, 32)})

    [finding] = shop.look().findings
    assert (finding.signal, finding.reason) == ("data_loss", "covers: 70 of 100 documents are left")
    assert timedelta(0) <= finding.onset_at - gone_at < MINUTE


@pytest.mark.parametrize("late", [timedelta(seconds=1), timedelta(seconds=59), 3 * MINUTE])
def test_the_first_moment_of_damage(late: timedelta) -> None:
    """To the second where the first damaged document still tells, whatever was damaged since."""
    shop = CheckedShop()
    shop.advance_clock(20 * MINUTE + late)
    first = shop.now
    shop.write({"orders/1": {"customer": "ada", "status": "paid"}, "orders/9": {"customer": "ada"}})
    shop.advance_clock(7 * MINUTE)
    shop.write({"customers/ada": {}, "orders/7": {"customer": "nobody"}})

    [finding] = shop.look().findings
    assert finding.onset_at == first
    assert finding.onset == damage.ONSET_ASSUMPTION


def test_damage_that_was_written_over() -> None:
    """A damaged document that was written again tells the minute by its older versions."""
    shop = CheckedShop()
    shop.advance_clock(20 * MINUTE + timedelta(seconds=10))
    first = shop.now
    for number in range(9):
        shop.write({"customers/ada": {"n": number}})
        shop.advance_clock(2 * MINUTE)

    [finding] = shop.look().findings
    assert finding.onset_at == first


def test_a_document_whose_target_was_deleted() -> None:
    """Nobody wrote the damaged document: the minute of the deletion is found all the same."""
    shop = CheckedShop()
    shop.advance_clock(20 * MINUTE + timedelta(seconds=10))
    deleted = shop.now
    shop.write({"customers/ada": None})

    [finding] = shop.look().findings
    assert timedelta(0) <= finding.onset_at - deleted < MINUTE


def test_damage_older_than_all_that_can_be_read() -> None:
    """Said, and not made up."""
    shop = CheckedShop()
    shop.data.point_in_time_recovery = shop.ports.databases.point_in_time_recovery = False
    shop.write({"customers/eve": {}})
    shop.advance_clock(3 * HOUR)

    [finding] = shop.look().findings
    assert finding.onset.startswith("at the latest")
    assert finding.onset_at > shop.now - HOUR - MINUTE


def test_a_schema_violation_in_one_of_100_000() -> None:
    """Found although each invocation ends in time, and one gets no answer: what counted, counts."""
    policy = replace(SHOP, integrity=IntegrityRules(every=HOUR))
    shop = CheckedShop(policy)
    shop.write({f"customers/{number:06}": {"email": "a@b"} for number in range(100_000)})
    shop.write({"customers/034567": {"mail": "a@b"}})
    shop.advance_clock(HOUR)
    streams = []

    def hook(verb: str, side: str) -> None:
        if (verb, side) == ("documents.stream", "before"):
            streams.append(verb)
            if len(streams) == 3:
                raise Unavailable("cut")

    shop.data.hook = hook
    shop.data.seconds_each = 0.0004
    invocations = 0
    while not shop.record().findings:
        before = shop.now
        shop.check()
        assert shop.now - before < timedelta(seconds=16)
        invocations += 1

    assert invocations == 4
    [finding] = shop.record().findings
    assert [one.path for one in finding.samples] == ["customers/034567"]
    last = shop.record().last
    assert last is not None
    assert last.tallies["customers"].documents == 100_020


def test_more_than_may_be_read() -> None:
    """A sample is drawn within the budget, and says how sure its answer is."""
    rules = IntegrityRules(every=HOUR, read_budget=2000)
    shop = CheckedShop(replace(SHOP, integrity=rules))
    shop.write({f"customers/{number:06}": {"email": "a@b"} for number in range(20_000)})
    before = shop.data.reads

    last = shop.look().last
    assert last is not None
    assert not last.is_whole
    assert 1000 <= shop.data.reads - before <= 2400
    assert "with 95% confidence fewer than 0." in describe_coverage(last, rules)


def test_what_a_sample_found_stays_until_it_is_mended() -> None:
    """Another sample that happens to miss it does not end it."""
    shop = CheckedShop()
    shop.write({"customers/eve": {}})
    shop.look()
    rules = IntegrityRules(every=HOUR, read_budget=1000)
    small = replace(SHOP, integrity=rules)
    shop.checked = small
    shop.write({f"customers/{number:06}": {"email": "a@b"} for number in range(20_000)})

    assert len(shop.look().findings) == 1
    shop.write({"customers/eve": {"email": "e@b"}})
    assert shop.look().findings == ()


def test_what_cannot_be_looked_at_is_unknown() -> None:
    """A file without an answer neither opens a loss nor ends one; refused for good, people hear."""
    shop = CheckedShop()
    shop.ports.media.hook = raise_error("media.why_unreadable", Unavailable("dark"))
    record = shop.look()
    assert record.findings == ()
    assert record.last is not None
    assert record.last.tallies["covers"].unknown == 1

    shop.data.hook = raise_error("documents.count", Rejected("PERMISSION_DENIED"))
    assert shop.look().failure == "PERMISSION_DENIED"
    assert shop.look().failure == "PERMISSION_DENIED"
    told = [one.fields or {} for one in shop.store.query(Query("notices"))]
    assert [one["event"] for one in told].count("data-unseen") == len(SHOP.channels) - 1


def test_the_writer_is_stopped_first() -> None:
    """The release that wrote the damage is named, and its functions go back once people say so."""
    shop = CheckedShop()
    before = shop.live
    shop.platform.deploy(["createOrder", "getBook"], failure_rate=0.0)
    shop.pass_time(5 * MINUTE)
    shop.write({"orders/3": {"customer": "ada", "status": "paid"}})

    shop.pass_time(HOUR + 5 * MINUTE)

    incident = shop.incident
    assert incident.signal == "database_corruption"
    assert shop.rollback.status is RollbackStatus.PARKED
    [finding] = shop.record().findings
    assert any("createOrder" in one for one in finding.suspects)
    assert not any("getBook" in one for one in finding.suspects)
    for person in ("ada", "bob"):
        shop.carry_out("approve", person, incident=incident.id)
    shop.pass_time(3 * MINUTE)
    assert shop.live["createOrder"] == before["createOrder"]

    shop.pass_time(40 * MINUTE)
    code, documents = shop.rollbacks()
    assert code.status is RollbackStatus.SUCCEEDED
    assert code.outcome.startswith("code is restored (")
    assert documents.status is RollbackStatus.NOT_TAKEN
    assert shop.find_violated_invariants() == []


def test_the_code_half_goes_back_at_once_and_no_document_moves() -> None:
    """DATABASE_ROLLBACK of the runbook: the release that wrote the damage goes back unasked."""
    signal = replace(SHOP.signals["database_corruption"], mode=Mode.ACT)
    acting = {"signals": {**SHOP.signals, "database_corruption": signal}}
    shop = CheckedShop(replace(SHOP, scenarios=dict.fromkeys(ScenarioName, Mode.ACT), **acting))
    before = shop.live
    shop.pass_time(50 * MINUTE)
    shop.platform.deploy(["createOrder", "getBook"], failure_rate=0.0)
    shop.pass_time(5 * MINUTE)
    shop.write({"orders/3": {"customer": "ada", "status": "paid"}})

    shop.pass_time(10 * MINUTE)

    assert shop.live == before
    assert not any(one.approvals for one in shop.rollbacks())
    found = shop.data.get_quietly(HERE, "orders/3")
    assert found is not None
    assert "amount" not in found.fields


def test_a_run_on_command() -> None:
    """A person has the data looked through before its time; without a declaration it is refused."""
    shop = CheckedShop()
    shop.write({"customers/eve": {}})
    shop.carry_out("check", "ada", reason="users miss books")
    shop.pass_time(2 * MINUTE)

    last = shop.record().last
    assert last is not None
    assert last.why == "requested by ada: users miss books"
    assert [one.signal for one in shop.record().findings] == ["database_corruption"]
    lines = list(integrity_lines(SHOP, shop.record()))
    assert lines[1] == "database_corruption: customers: 1 of 21 documents fail (schema)"
    assert lines[-1] == "  customers/eve: the document: email is missing"

    none = World()
    none.command(command="check", system="bookshop")
    none.settle()
    [letter] = [one for one in none.ports.bus.messages if one.topic == topics.DEAD_LETTERS]
    assert "declares no collections" in letter.attributes["reason"]


def dated_shop() -> CheckedShop:
    """A shop that is looked through each day, and says in `at` when it writes an order."""
    collections = SHOP.collections | {"orders": replace(SHOP.collections["orders"], updated_field="at")}
    return CheckedShop(replace(SHOP, integrity=IntegrityRules(), collections=collections))


def order(shop: CheckedShop, number: int, **more: Any) -> dict[str, dict[str, Any] | None]:
    """A new order, with the time at which it is written."""
    written = {"customer": "ada", "status": "paid", "amount": 3, "at": shop.now}
    return {f"orders/{number}": written | more}


def test_corruption_is_noticed_within_two_minutes_of_its_first_document() -> None:
    """The runbook: "Detection (<2 minutes)" of "Data corruption", hours before the daily run."""
    shop = dated_shop()
    shop.advance_clock(5 * HOUR)
    shop.write(order(shop, 7))
    shop.check()
    assert shop.alerts() == []
    last_run = shop.record().last

    written_at = shop.now
    shop.write(order(shop, 8, customer="nobody"))
    shop.advance_clock(MINUTE)
    shop.check()

    [alert] = shop.alerts()
    assert (alert.signal, alert.state, alert.started_at) == ("database_corruption", "open", written_at)
    assert shop.record().findings[0].reason == "orders: 1 of 2 documents fail (reference)"
    assert shop.record().last == last_run
    shop.check()
    assert len(shop.alerts()) == 1


def test_damage_of_the_newest_writes_ends_by_a_run_within_the_hour() -> None:
    """Good newest writes end nothing: a run does, which begins each hour while damage is known."""
    shop = dated_shop()
    shop.write(order(shop, 8, customer="nobody"))
    shop.check()
    shop.write({"orders/8": None})
    shop.advance_clock(2 * MINUTE)
    shop.check()
    assert [one.state for one in shop.alerts()] == ["open"]

    shop.look()
    assert sorted(one.state for one in shop.alerts()) == ["closed", "open"]


def test_a_storm_of_writes_costs_no_more_than_its_newest_documents() -> None:
    """At most 20 documents of each collection are read each minute, and what these name."""
    shop = dated_shop()
    shop.advance_clock(MINUTE)
    shop.write({path: one for number in range(500) for path, one in order(shop, number).items()})
    reads = shop.data.reads

    shop.check()

    assert shop.data.reads - reads == 20 + 1


def test_the_newest_writes_are_checked_while_a_run_goes_on() -> None:
    """A run of many minutes does not delay the detection."""
    shop = dated_shop()
    shop.advance_clock(25 * HOUR)
    shop.data.seconds_each = 1.0
    shop.check()
    assert shop.record().run is not None
    shop.write(order(shop, 8, customer="nobody"))
    shop.check()
    assert [one.signal for one in shop.alerts()] == ["database_corruption"]


def test_newest_writes_that_cannot_be_read_do_not_stop_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The index of the field may be switched off: the log has an error, and the pager rings."""
    shop = dated_shop()
    shop.data.hook = raise_error("documents.newest", Rejected("no index"))
    shop.write({"orders/9": {"customer": "nobody"}})
    shop.advance_clock(23 * HOUR)
    shop.look()

    assert [one.signal for one in shop.alerts()] == ["database_corruption"]
    assert shop.record().failure == ""
    assert "the newest writes of bookshop cannot be checked: no index" in capsys.readouterr().err
