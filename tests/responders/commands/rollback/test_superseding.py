"""An order beside an open incident: it joins, extends or supersedes the rollback, or is refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.core import topics
from shared.core.codec import decode
from shared.core.store import Create
from shared.domain.commands.command import CommandRecord
from shared.domain.commands.credential import command_fingerprint
from shared.domain.deployments.deployment import deployment_path
from shared.domain.deployments.inventory.traffic import TrafficTarget
from shared.domain.incidents.incident import IncidentStatus
from shared.domain.rollback.plan import StepStatus
from shared.domain.rollback.rollback import RollbackStatus
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.system_events import refusal_reasons
from tests.support.rollbacks.approvals import (
    build_failed_rollback,
    build_world_awaiting_approval,
    publish_command,
)
from tests.support.runtime.world import BOOKSHOP, CHECKED, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
EVERY = {*BOOKSHOP.functions}


def order(world: World, actor: str = "bob", **content: Any) -> None:
    world.send_command("rollback", actor, **content)


def meanwhile(world: World, act: Callable[[], None], shifts: int = 1) -> None:
    """Play an act in the middle of a rollback, once so many functions are back."""
    done: list[bool] = []

    def hook(verb: str, side: str) -> None:
        count = len(world.platform.applied_shifts)
        if (verb, side) == ("platform.shift", "after") and count >= shifts and not done:
            done.append(True)
            act()
            world.deliver_commands()
            for message in world.waiting():
                if b'"kind":"command"' in message.data:
                    world.ports.bus.messages.remove(message)
                    world.deliver(message)

    world.platform.hook = hook


def roll_back_meanwhile(act: Callable[[World], None], *, ordered: bool = False) -> World:
    """A rollback of all eight functions, by an alert or by Ada, and an act in the middle of it."""
    world = World()
    world.deploy_bad()
    meanwhile(world, lambda: act(world))
    if ordered:
        order(world, "ada")
    else:
        world.alert()
    world.settle()
    return world


def record_of(world: World, command: str) -> CommandRecord:
    fields = world.store.get(f"commands/{command}").fields
    assert fields is not None
    return decode(CommandRecord, fields)


def public_word(world: World, incident: str) -> str:
    fields = world.store.get(f"public/bookshop/incidents/{incident}").fields
    assert fields is not None
    return str(fields["word"])


def restored(world: World) -> set[str]:
    return {name for name, shares in world.live.items() if set(shares) == {f"{name.lower()}-00001"}}


@pytest.mark.parametrize("ordered", [False, True])
def test_an_order_for_a_part_joins_the_rollback_under_way(ordered: bool) -> None:
    """No new incident; who and why are on record, and the other functions go back as well."""
    act = lambda world: order(world, id="mine", functions=["searchBooks"], reason="search fails")  # noqa: E731
    world = roll_back_meanwhile(act, ordered=ordered)

    incident = world.incident
    result = record_of(world, "mine")
    assert result.incident == incident.id
    assert result.result.startswith(f"1 of 1 function is already part of {incident.id}: nothing more to do")
    assert f"rollback watch {incident.id}" in result.result
    assert any("bob" in moment.note and "search fails" in moment.note for moment in incident.timeline)
    assert "rollback.joined" in world.events(world.rollback)
    assert "joined by a manual rollback request of bob: search fails" in world.rollback.commands
    world.pass_time(HOUR)
    assert restored(world) == EVERY
    assert world.incident.status is IncidentStatus.RESOLVED
    assert world.find_violated_invariants() == []


def test_a_wider_order_of_the_same_target_extends_the_rollback() -> None:
    """Further functions go back at the next step, by the order of whoever added them."""
    world = World()
    world.deploy_bad()
    meanwhile(world, lambda: order(world, id="wider", groups=["shop"], reason="the shop fails, too"))
    order(world, "ada", functions=["searchBooks"])
    world.pass_time(HOUR)

    [incident], [rollback] = world.incidents(), world.rollbacks()
    assert f"is added to {incident.id}" in record_of(world, "wider").result
    assert restored(world) == {"searchBooks", "listBooks", "getBook", "renderShop", "renderBasket"}
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert {"rollback.extended", "plan.extended"} <= {*world.events(rollback)}
    assert any("bob" in moment.note for moment in incident.timeline)
    assert "extended by a manual rollback request of bob: the shop fails, too" in rollback.commands
    assert world.find_violated_invariants() == []


def test_orders_that_cross_become_one_rollback() -> None:
    """The second finds the first undecided: what it names beyond it is decided with it."""
    world = World()
    world.deploy_bad()
    order(world, "ada", id="a", functions=["searchBooks"])
    order(world, "bob", id="b", functions=["payOrder"])
    order(world, "eve", id="c", functions=["payOrder"])
    world.pass_time(HOUR)

    rollback = world.rollback
    assert rollback.status is RollbackStatus.SUCCEEDED
    assert restored(world) == {"searchBooks", "payOrder"}
    assert {record_of(world, key).incident for key in "abc"} == {rollback.incident}
    assert "is added to" in record_of(world, "b").result
    assert "already part of" in record_of(world, "c").result
    assert [line.partition(": ")[0] for line in rollback.commands] == [
        "ordered by ada",
        "extended by a manual rollback request of bob",
        "joined by a manual rollback request of eve",
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"functions": ["searchBooks"], "target": "v0"}, "another target"),
        ({"scenario": "complete"}, "another scenario"),
        ({"scenario": "complete", "reason": "last-stable"}, "another scenario"),
    ],
)
def test_anything_else_is_refused_with_the_command_to_use(content: dict[str, Any], why: str) -> None:
    """The refusal names what would end and what would stay undone; the rollback goes on."""

    def act(world: World) -> None:
        store = world.store
        copied = {**store.documents[deployment_path("bookshop", "v1")], "id": "v0"}
        store.commit([Create(deployment_path("bookshop", "v0"), copied)])
        order(world, **content)

    world = roll_back_meanwhile(act)

    [refused] = refusal_reasons(world)
    name = world.incident.id
    assert why in refused
    assert f"{name} would end" in refused
    if "functions" in content:
        assert "5 of 8 functions would stay on the bad release: " in refused
    assert "rollback run --system bookshop" in refused
    assert "--supersede" in refused
    world.pass_time(HOUR)
    assert restored(world) == EVERY


def test_a_superseded_incident_stays_open_until_a_person_accepts() -> None:
    """Six functions stay on the bad release: nothing says that this is resolved."""

    def act(world: World) -> None:
        order(world, id="narrow", functions=["searchBooks"], supersede=True, reason="only search")

    world = roll_back_meanwhile(act)
    world.pass_time(2 * HOUR)

    old, new = world.incidents()
    first, second = world.rollbacks()
    assert record_of(world, "narrow").incident == new.id
    ended = f"superseded by {new.id}, ordered by bob: only search"
    assert (first.status, first.outcome) == (RollbackStatus.CANCELLED, ended)
    assert second.status is RollbackStatus.SUCCEEDED
    assert restored(world) != EVERY
    assert old.status is IncidentStatus.INVESTIGATING
    assert old.ended_at is None
    assert f"continued by {new.id}" in old.timeline[-1].note
    assert old.acknowledged_by == "bob"
    assert public_word(world, old.id) == "investigating"
    assert "rollback.superseded" in world.events(first)

    assert publish_command(world, "accept", incident=old.id) == ""
    assert world.incidents()[0].status is IncidentStatus.RECOVERY_NOT_OBSERVED
    assert public_word(world, old.id) == "recovery not observed"
    assert world.find_violated_invariants() == []


def test_an_order_with_nothing_to_do_leaves_the_monitoring_alone() -> None:
    """Neither by itself nor with --supersede does it end what is monitored, or publish anything."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)
    watched = world.rollback
    assert watched.status is RollbackStatus.WATCHING
    sent = len(world.sent_notices)

    order(world, id="plain", functions=["searchBooks"])
    order(world, id="forced", functions=["searchBooks"], supersede=True)
    order(world, id="over", override=True, incident=watched.incident, supersede=True)
    world.settle()

    for key in ("plain", "forced", "over"):
        result = record_of(world, key).result
        assert result.startswith("nothing to do: everything asked for is at its target already")
        assert f"{watched.incident} continues" in result
    assert len(world.incidents()) == 1
    assert world.rollback.status is RollbackStatus.WATCHING
    assert len(world.sent_notices) == sent
    world.pass_time(HOUR)
    assert world.rollbacks()[0].status is RollbackStatus.SUCCEEDED


def test_an_order_with_nothing_to_do_without_an_incident_ends_as_that() -> None:
    """Its incident is opened at once; it is called neither a failure nor a rollback."""
    world = World()
    stable = world.live
    order(world, functions=["searchBooks"])
    world.pass_time(10 * MINUTE)

    [rollback], [incident] = world.rollbacks(), world.incidents()
    assert (rollback.status, world.live) == (RollbackStatus.NOT_TAKEN, stable)
    assert rollback.outcome.startswith("everything asked for is at its target already")
    assert not incident.has_failed


def test_what_changed_while_it_was_monitored_goes_back_with_a_confirmation_alone() -> None:
    """A second bad release of one function: the order says what would end, and is given again."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)
    world.platform.change_by_hand("searchBooks", (TrafficTarget("searchbooks-00002", 100),))

    order(world, id="plain", functions=["searchBooks"])
    world.settle()
    assert record_of(world, "plain").result.startswith("not started: ")
    assert "--supersede" in record_of(world, "plain").result
    assert record_of(world, "plain").answer == {"refused": True}

    order(world, id="forced", functions=["searchBooks"], supersede=True)
    world.pass_time(2 * MINUTE)
    assert any(moment.note.startswith("continued by") for moment in world.incidents()[0].timeline)
    assert world.rollbacks()[1].status is not RollbackStatus.NOT_TAKEN


def test_an_order_after_an_undo_continues_what_fails_since_then() -> None:
    """What failed before the rollback that was undone is another time: no page counts from it."""
    world = World()
    world.deploy_bad()
    order(world)
    world.pass_time(HOUR)
    world.send_command("undo", "bob", incident=world.incident.id)
    world.pass_time(10 * MINUTE)
    undone_at = next(one.at for one in world.incident.timeline if one.status is IncidentStatus.UNDOING)

    order(world, functions=["searchBooks"])
    world.pass_time(MINUTE)

    old, new = world.incidents()
    assert old.failure_observed_at is not None
    assert old.failure_observed_at < undone_at
    assert (new.onset_at, new.failure_observed_at) == (undone_at, undone_at)


def test_an_order_for_an_incident_that_waits_for_a_person_continues_it() -> None:
    """It ends no rollback; the incident stays open in the open, with its public state."""
    world = build_failed_rollback()
    world.platform.set_failure_rate("payOrder", "payorder-00001", 0.9)
    world.pass_time(5 * MINUTE)
    assert world.incident.status is IncidentStatus.ESCALATED

    order(world, functions=["searchBooks"])
    world.pass_time(HOUR)

    old, new = world.incidents()
    assert world.newest_rollback.status is RollbackStatus.SUCCEEDED
    assert old.status is IncidentStatus.INVESTIGATING
    assert old.timeline[-1].note.startswith(f"continued by {new.id}")
    assert public_word(world, old.id) == "investigating"
    assert "rollback.superseded" in world.events(world.rollbacks()[0])
    assert any(":superseded" in sent.key for sent in world.sent_notices)
    assert publish_command(world, "accept", incident=old.id) == ""
    assert public_word(world, old.id) == "recovery not observed"
    assert world.find_violated_invariants() == []


def test_a_question_is_superseded_with_a_confirmation_alone() -> None:
    """Nothing goes back yet; the refusal names the answer to the question, too."""
    world = build_world_awaiting_approval()
    name = world.incident.id

    order(world)
    world.settle()
    assert any(
        "waits for approval" in one and f"rollback approve {name}" in one for one in refusal_reasons(world)
    )

    order(world, supersede=True)
    world.pass_time(HOUR)
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.CANCELLED, RollbackStatus.SUCCEEDED]


def test_an_override_joins_nothing_that_a_gate_may_hold() -> None:
    """It is shown what it ends like any other order, and skips the gates in its own rollback."""
    world = roll_back_meanwhile(lambda world: order(world, override=True, incident=world.incident.id))
    assert "an emergency override" in refusal_reasons(world)[0]


def test_a_paused_system_ends_nothing_for_an_order_that_could_not_begin() -> None:
    """An order that would only wait does not end what waits already."""
    world = World()
    world.deploy_bad()
    world.carry_out("pause")
    world.alert()
    world.settle()

    order(world, id="mine", supersede=True)
    world.settle()

    assert len(world.incidents()) == 1
    assert "paused by" in record_of(world, "mine").result
    assert record_of(world, "mine").answer == {"refused": True}


def test_a_dry_run_supersedes_nothing_and_says_what_would_end() -> None:
    """A rehearsal shows the plan as if the rollback under way had ended."""

    def act(world: World) -> None:
        order(world, id="dry", functions=["searchBooks"], dry_run=True, supersede=True)

    world = roll_back_meanwhile(act)
    world.pass_time(HOUR)

    assert len(world.incidents()) == 1
    assert record_of(world, "dry").answer["under_way"]["incident"] == world.incident.id


def order_by_pipeline(world: World, **content: Any) -> None:
    said = {"version": 1, "command": "rollback", "system": "bookshop", "severity": "LOW", "reason": "ours"}
    said |= {"groups": ["catalogue"], **content}
    token = world.ports.sign_in.service(command_fingerprint(said))
    world.publish(topics.COMMANDS, {**said, "token": token})


def test_a_service_account_supersedes_no_order_of_a_person() -> None:
    """It joins what goes back already, and what a person has ordered stays theirs."""

    def act(world: World) -> None:
        order_by_pipeline(world, id="joins")
        order_by_pipeline(world, id="other", scenario="functions", target="v0")
        order_by_pipeline(world, id="ends", supersede=True)

    def copied(world: World) -> None:
        store = world.store
        fields = {**store.documents[deployment_path("bookshop", "v1")], "id": "v0"}
        store.commit([Create(deployment_path("bookshop", "v0"), fields)])
        act(world)

    world = roll_back_meanwhile(copied, ordered=True)
    world.pass_time(HOUR)

    assert "already part of" in record_of(world, "joins").result
    assert len(refusal_reasons(world)) == 2
    assert all("a service account supersedes no order of a person" in one for one in refusal_reasons(world))
    assert not any("to end it" in one for one in refusal_reasons(world))
    assert [one.status for one in world.rollbacks()] == [RollbackStatus.SUCCEEDED]
    assert restored(world) == EVERY


def test_a_repair_of_valid_documents_ends_no_monitoring() -> None:
    """Without a confirmation it is refused; with one, documents are read before anything ends."""
    world = World(policy=CHECKED)
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)
    repair = {"scenario": "database", "select": "invalid"}

    order(world, **repair)
    order(world, id="repair", supersede=True, **repair)
    world.settle()

    assert "the order goes another direction" in refusal_reasons(world)[0]
    assert record_of(world, "repair").result.startswith("not started: no damage was found")
    assert world.rollback.status is RollbackStatus.WATCHING


def test_an_order_that_comes_too_late_ends_nothing() -> None:
    """Nobody could read what it would change until it was too old."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)
    world.platform.change_by_hand("searchBooks", (TrafficTarget("searchbooks-00002", 100),))
    order(world, id="late", functions=["searchBooks"], supersede=True)
    world.deliver_commands()
    world.advance_clock(world.policy.gates.stale_after + MINUTE)
    world.pass_time(MINUTE)

    assert record_of(world, "late").result.endswith("too late")
    assert len(world.incidents()) == 1


def test_what_was_added_is_named_where_the_rollback_ends_before() -> None:
    """A cancelled rollback says what of the orders beside it was never begun."""
    world = World()
    world.deploy_bad()

    def act() -> None:
        order(world, functions=["payOrder"], reason="payments fail")
        world.send_command("cancel", "ada", incident=world.incident.id)

    meanwhile(world, act)
    order(world, "ada", functions=["searchBooks"])
    world.pass_time(5 * MINUTE)

    assert world.rollback.status is RollbackStatus.CANCELLED
    texts = [sent.notice["text"] for sent in world.sent_notices]
    assert any("not started: the extension by bob, payments fail" in text for text in texts)


def test_what_has_recovered_is_not_called_failing_by_the_order_that_supersedes_its_monitoring() -> None:
    """A good revision is taken back during the monitoring of a rollback: nothing fails again."""
    world = World()
    world.deploy_bad()
    world.alert()
    world.pass_time(8 * MINUTE)
    world.platform.set_failure_rate("searchBooks", "searchbooks-00002", 0.0)
    world.platform.change_by_hand("searchBooks", (TrafficTarget("searchbooks-00002", 100),))

    order(world, functions=["searchBooks"], supersede=True)
    world.settle()

    first, second = world.incidents()
    assert first.status is IncidentStatus.WATCHING
    assert first.timeline[-1].note.startswith(f"continued by {second.id}")
    assert public_word(world, first.id) == "rolling back (monitoring)"
    world.pass_time(HOUR)
    assert world.incidents()[0].status is IncidentStatus.RESOLVED


def build_world_with_waiting_unpin(act: Callable[[World], None]) -> World:
    """Automation rolls four functions back, Bob's unpin of a fifth waits for it; then an act."""
    world = World()
    world.deploy_bad(["searchBooks"])
    order(world, "ada", functions=["searchBooks"])
    world.pass_time(HOUR)
    world.deploy_bad(["listBooks", "getBook", "payOrder", "createOrder"])

    def unpin() -> None:
        world.send_command("unpin", "bob", functions=["searchBooks"])
        world.deliver_commands()
        act(world)

    meanwhile(world, unpin)
    world.alert("0.zzz")
    world.settle()
    return world


def test_a_service_account_ends_no_unpin_of_a_person_that_waits_behind_automation() -> None:
    """The bar holds for all that superseding would end, not for the first alone."""

    def act(world: World) -> None:
        order_by_pipeline(world, id="ends", target="last-stable", supersede=True)

    world = build_world_with_waiting_unpin(act)
    world.pass_time(HOUR)

    [refused] = refusal_reasons(world)
    assert "a service account supersedes no order of a person" in refused
    assert not any(one.superseded_by for one in world.rollbacks())


def test_a_question_says_what_ending_a_waiting_unpin_leaves() -> None:
    """An unpin that ends keeps the good revision: the function stays pinned."""
    world = build_world_with_waiting_unpin(lambda world: order(world, scenario="complete"))

    [refused] = refusal_reasons(world)
    unpin = world.newest_incident.id
    assert f"{unpin} would end: its rollback is not decided yet; 1 of 1 function would stay pinned" in refused
    assert "stay on the bad release: searchBooks" not in refused


def test_a_question_says_what_ending_an_undo_leaves() -> None:
    """What an undo has not reached stays rolled back; before its plan nobody knows what that is."""
    world = World()
    world.deploy_bad()
    order(world)
    world.pass_time(HOUR)
    world.send_command("undo", "bob", incident=world.incident.id)
    world.deliver_commands()
    order(world)
    world.deliver_commands()

    def hook() -> None:
        order(world)
        world.deliver_commands()

    world.platform.hook = run_once("platform.shift", "before", hook)
    world.settle()

    undecided, running = refusal_reasons(world)
    assert "is not decided yet; not undone either: its whole scope" in undecided
    assert "0 of 8 functions undone" in running
    assert "bad release" not in undecided + running


def order_once_given_up(world: World, function: str) -> str:
    """Order a function as soon as Ada's rollback has given it up; return what is answered."""
    said: list[str] = []

    def is_given_up() -> bool:
        steps = [one for each in world.rollbacks() for one in world.steps(each.id).values()]
        ended = {one.name: one.status for one in steps if one.target == function}
        shift, stand_in = ended.get(f"shift {function}"), ended.get(f"serve {function}")
        return shift is StepStatus.STOPPED or (shift, stand_in) == (StepStatus.FAILED, StepStatus.FAILED)

    before = world.platform.hook

    def hook(verb: str, side: str) -> None:
        before(verb, side)
        if not said and is_given_up():
            said.append("")
            order(world, functions=[function], reason="it fails still")
            world.deliver_commands()

    world.platform.hook = hook
    order(world, "ada", batch_size=1)
    world.settle()
    [refused] = refusal_reasons(world)
    return refused


def test_an_order_for_a_function_that_a_person_has_deployed_meanwhile_joins_nothing() -> None:
    """Its step has stopped: the order would be carried out by nobody."""
    world = World()
    world.deploy_bad()
    world.platform.hook = run_once(
        "platform.dry_run", "before", lambda: world.platform.deploy(["searchBooks"], failure_rate=0.9)
    )
    refused = order_once_given_up(world, "searchBooks")

    name = world.incident.id
    assert "the rollback could not restore searchBooks (" in refused
    assert f"order that again once {name} has ended; {name} would end: " in refused
    assert "--supersede" in refused


def test_an_order_for_a_function_whose_shift_has_failed_joins_nothing() -> None:
    """Retried as often as a step may be: the order is refused with why, and with the way on."""
    world = World()
    world.deploy_bad()

    def fail(verb: str, side: str) -> None:
        if (verb, side) == ("platform.shift", "before"):
            world.platform.fail_late("createOrder", "no capacity")

    world.platform.hook = fail
    refused = order_once_given_up(world, "createOrder")

    assert "the rollback could not restore createOrder (" in refused
    assert "no capacity" in refused
    assert not any("joined" in one.note for one in world.incident.timeline)


def test_an_order_for_a_part_of_what_waits_for_approval_names_the_approval() -> None:
    """Nothing goes back until somebody approves: the answer says who may help and how."""
    world = World(policy=replace(BOOKSHOP, gates=replace(BOOKSHOP.gates, four_eyes=("functions",))))
    world.deploy_bad()
    order(world, "ada")
    world.settle()
    order(world, id="mine", functions=["getBook"])
    world.settle()

    name = world.incident.id
    assert f"waits for approval: `rollback approve {name}`" in record_of(world, "mine").result


def test_an_order_for_a_part_of_what_is_paused_names_the_pause() -> None:
    """The answer says who holds the rollback, and the command that continues it."""
    world = roll_back_meanwhile(lambda world: world.send_command("pause", "ada"))
    world.pass_time(MINUTE)
    order(world, id="mine", functions=["searchBooks"])
    world.deliver_commands()

    result = record_of(world, "mine").result
    assert "1 of 8 functions restored; paused since " in result
    assert "by ada: a test; to continue: rollback resume --system bookshop --reason WHY" in result
