"""Mail and text messages to users: asked of a person, sent once, and addresses stored nowhere."""

import html
import json
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.core.codec import encode
from shared.core.errors import Rejected, Unavailable
from shared.core.store import Put
from shared.domain.data.erasure.ledger import (
    Erasure,
    ErasureLedgerRecord,
    erasure_path,
    hash_person,
    ledger_path,
)
from shared.domain.notices.notice import NoticeStatus
from shared.domain.notices.push_progress import PushResult
from shared.domain.policy.channels import ChannelKind
from shared.domain.policy.data_rules import ErasureRules, Place
from shared.domain.policy.severity import Severity
from shared.state.reader import StateReader
from tests.support.cli.browser import Browser
from tests.support.cli.in_process import WorldPrompt
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.notices.notices import read_notices
from tests.support.notices.system_events import read_dead_letters
from tests.support.notices.user_devices import INCIDENT
from tests.support.notices.user_messages import (
    MINUTES,
    approve_message,
    build_user,
    build_world_with_addresses,
    count_mails,
    read_mails,
    read_notice,
    read_questions,
    user_address,
)
from tests.support.runtime.world import BOOKSHOP

WAYS = pytest.mark.parametrize("kind", [ChannelKind.APPRISE, ChannelKind.TRIGGER_EMAIL])
USERS = {
    "ada": build_user("ada", locale="de-AT"),
    "bob": build_user("bob", locale="fr"),
    "cleo": build_user("cleo"),
    "dan": build_user("dan", agreed=False),
    "eve": build_user("eve", agreed="true"),
    "fay": {"contact": {"email": user_address("fay")}},
    "gus": {"contact": {"agreed": True}},
}
TOLD = {user_address(name): 1 for name in ("ada", "bob", "cleo")}


@WAYS
def test_a_person_approves_before_users_are_told(kind: ChannelKind, tmp_path: Path) -> None:
    """The question shows subject and text in each language, and how many users would be told."""
    world = build_world_with_addresses(tmp_path, USERS, kind)
    world.pass_time(3 * MINUTES)

    assert count_mails(world) == {}
    [question] = read_questions(world)
    assert "mail waits for approval, for 3 recipients; users beyond at_most: 0\n" in question
    assert "en: The Bookshop: not working\n" in question
    assert "de: The Bookshop: eine Störung\n" in question
    assert "Seit 2026-03-02 12:00 UTC" in question
    [asked] = [one for name, one in read_notices(world).items() if ":message.asked." in name]
    assert asked["commands"] == [
        f"rollback publish {INCIDENT} --message {read_notice(world).fingerprint} --reason WHY"
    ]

    assert approve_message(world) == ""
    world.pass_time(3 * MINUTES)

    assert count_mails(world) == TOLD
    assert read_notice(world).status is NoticeStatus.SENT
    assert read_notice(world).approved_by == "somebody"


@WAYS
def test_a_policy_that_has_mail_sent_without_approval(kind: ChannelKind, tmp_path: Path) -> None:
    """Nobody is asked; consent, language and one message for each user are as before."""
    world = build_world_with_addresses(tmp_path, USERS, kind, approval=False)
    world.pass_time(3 * MINUTES)

    assert (count_mails(world), read_questions(world)) == (TOLD, [])
    notice = read_notice(world)
    assert (notice.status, notice.approved_by, notice.preview) == (NoticeStatus.SENT, "", "")


@WAYS
def test_each_user_reads_it_in_their_language(kind: ChannelKind, tmp_path: Path) -> None:
    """By the declared field; who has none, or another one, reads the first declared language."""
    world = build_world_with_addresses(tmp_path, USERS, kind)
    world.pass_time(2 * MINUTES)
    approve_message(world)
    world.pass_time(2 * MINUTES)

    subjects = {one["to"][0]: one["message"]["subject"] for one in read_mails(world)}
    assert subjects == {
        user_address("ada"): "The Bookshop: eine Störung",
        user_address("bob"): "The Bookshop: not working",
        user_address("cleo"): "The Bookshop: not working",
    }


def test_a_mail_of_trigger_email_has_the_form_that_the_extension_reads(tmp_path: Path) -> None:
    """`to`, and `message` with subject and text."""
    world = build_world_with_addresses(tmp_path, {"ada": USERS["ada"]}, ChannelKind.TRIGGER_EMAIL)
    world.pass_time(2 * MINUTES)
    approve_message(world)
    world.pass_time(2 * MINUTES)

    [mail] = read_mails(world)
    assert mail["to"] == [user_address("ada")]
    assert set(mail) == {"to", "message"}
    assert set(mail["message"]) == {"subject", "text"}
    assert user_address("ada") not in "".join(world.ports.rewritten.written)


def test_nobody_approves(tmp_path: Path) -> None:
    """After six hours it is given up, nobody is told, and the team reads that."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.pass_time(timedelta(hours=7))

    assert count_mails(world) == {}
    assert read_notice(world).status is NoticeStatus.UNDELIVERABLE
    short = str(read_notices(world)[f"{INCIDENT}:short.detected.mail:record"]["text"])
    assert "no user is told; given up: nobody approved it in time" in short
    assert "waits for approval" in approve_message(world)


def test_a_message_that_waits_is_shown_where_operators_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Which message, to whom, and what approves it; nothing once it is approved, or out of time."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.pass_time(3 * MINUTES)
    browser, prompt = Browser(world), WorldPrompt(monkeypatch, tmp_path, world)
    browser.sign_in()
    asked = f"to users by mail waits for approval: {read_notice(world).approval_command}"
    line = f'"en: The Bookshop: not working" {asked}'

    assert f"  {line}\n" in prompt.say("status").stdout
    [system] = json.loads(prompt.say("status", "--json").stdout)["systems"]
    assert system["messages"] == [line]
    assert line in html.unescape(browser.get("/").body.decode())

    approve_message(world)
    assert asked not in prompt.say("status").stdout


def test_a_text_that_is_not_true_any_more_is_asked_anew(tmp_path: Path) -> None:
    """The approval is of the texts that were shown: others are shown first, and nothing is sent."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.pass_time(2 * MINUTES)
    shown = read_notice(world).fingerprint
    world.policy = replace(world.policy, display_name="The Library")
    world.start_instances()

    assert approve_message(world) == ""
    world.pass_time(2 * MINUTES)

    assert count_mails(world) == {}
    assert [text.count("The Library") > 0 for text in read_questions(world)] == [False, True]
    assert "its texts may have changed" in approve_message(world, plan=shown)
    assert approve_message(world) == ""
    world.pass_time(2 * MINUTES)
    assert count_mails(world) == TOLD


def test_a_program_approves_nothing(tmp_path: Path) -> None:
    """Whatever the policy lets a service account say."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.pass_time(2 * MINUTES)
    plan = read_notice(world).fingerprint
    content = {"command": "publish", "system": "bookshop", "incident": INCIDENT, "plan": plan}
    world.publish("rollback-override", {"version": 1, "reason": "go", **content})
    world.pass_time(2 * MINUTES)

    assert count_mails(world) == {}
    assert read_notice(world).is_asked


def test_more_users_than_the_cap(tmp_path: Path) -> None:
    """The first are told; how many more there are stands in question and notice."""
    world = build_world_with_addresses(tmp_path, USERS, at_most=2)
    world.pass_time(2 * MINUTES)
    assert "for 2 recipients; users beyond at_most: 2\n" in read_questions(world)[0]

    approve_message(world)
    world.pass_time(2 * MINUTES)

    assert count_mails(world) == {user_address("ada"): 1, user_address("bob"): 1}
    short = str(read_notices(world)[f"{INCIDENT}:short.detected.mail:record"]["text"])
    assert "users beyond at_most, not told: 2" in short


@WAYS
def test_whoever_was_erased_gets_no_mail(kind: ChannelKind, tmp_path: Path) -> None:
    """Though their document is still there."""
    world = build_world_with_addresses(tmp_path, USERS, kind)
    now, system = world.now, BOOKSHOP.system
    hashed = hash_person("salt", "bob")
    entry, book = Erasure(system, hashed, now, ()), ErasureLedgerRecord(system, "salt", now)
    writes = [Put(ledger_path(system), encode(book)), Put(erasure_path(system, hashed), encode(entry))]
    world.store.commit(writes)
    world.policy = replace(world.policy, erasure=ErasureRules((Place("users"),)))
    world.start_instances()
    world.pass_time(2 * MINUTES)
    approve_message(world)
    world.pass_time(2 * MINUTES)

    assert count_mails(world) == {user_address("ada"): 1, user_address("cleo"): 1}


@WAYS
@pytest.mark.parametrize(
    "text",
    [
        "ada@hush.example, bob@hush.example",
        "ada@hush.example;bob@hush.example",
        "ada@hush.example bob@hush.example",
        "ada@hush.example\nbob@hush.example",
        "<ada@hush.example>",
        "mailto:ada@hush.example",
        "ada%2Cbob@hush.example",
        "ada",
    ],
)
def test_a_text_that_is_not_one_address(text: str, kind: ChannelKind, tmp_path: Path) -> None:
    """Nobody is told by it, so a user's own field leads to nobody else; the others are told."""
    users = {"eve": {"contact": {"email": text, "agreed": True}}, "zoe": build_user("zoe")}
    world = build_world_with_addresses(tmp_path, users, kind)
    world.pass_time(2 * MINUTES)
    assert "for 1 recipient;" in read_questions(world)[0]
    approve_message(world)
    world.pass_time(2 * MINUTES)

    assert count_mails(world) == {user_address("zoe"): 1}


def test_a_telephone_number_is_an_address(tmp_path: Path) -> None:
    """As people write it, with spaces."""
    users = {"eve": {"contact": {"email": "+49 170 1234567", "agreed": True}}}
    world = build_world_with_addresses(tmp_path, users)
    world.pass_time(2 * MINUTES)
    approve_message(world)
    world.pass_time(2 * MINUTES)

    assert count_mails(world) == {"+49 170 1234567": 1}


def test_an_address_that_gives_no_answer_holds_up_nobody(tmp_path: Path) -> None:
    """It alone is tried again, and the team reads in the end that it was not reached."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.ports.sender.fates = {user_address("bob"): PushResult.NONE}
    world.pass_time(2 * MINUTES)
    approve_message(world)
    world.pass_time(2 * MINUTES)
    assert count_mails(world) == {user_address("ada"): 1, user_address("cleo"): 1}

    world.pass_time(timedelta(hours=2))

    assert count_mails(world) == {user_address("ada"): 1, user_address("cleo"): 1}
    assert read_notice(world).status is NoticeStatus.UNDELIVERABLE
    short = str(read_notices(world)[f"{INCIDENT}:short.detected.mail:record"]["text"])
    assert "not reached: 1" in short


def test_a_provider_that_is_down_is_left_alone(tmp_path: Path) -> None:
    """After three without an answer the channel rests; once it answers, each user is told once."""
    users = {f"u{number:02}": build_user(f"u{number:02}") for number in range(9)}
    world = build_world_with_addresses(tmp_path, users)
    tried: list[str] = []

    def count(verb: str, side: str) -> None:
        if (verb, side) == ("sender.send_each", "before"):
            tried.append(verb)

    world.ports.sender.down = {"mail"}
    world.ports.sender.hook = count
    world.pass_time(2 * MINUTES)
    approve_message(world)
    world.pass_time(MINUTES / 6)
    assert len(tried) <= 6

    world.ports.sender.down.clear()
    world.pass_time(10 * MINUTES)

    assert count_mails(world) == {user_address(name): 1 for name in users}


def test_users_that_cannot_be_counted(tmp_path: Path) -> None:
    """Nobody is asked about a number that nobody knows: it is given up, and the team reads why."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.ports.kept.hook = raise_error("documents.matching", Rejected("no index"))
    world.pass_time(2 * MINUTES)

    assert read_questions(world) == []
    assert read_notice(world).status is NoticeStatus.UNDELIVERABLE
    assert "no index" in str(read_notices(world)[f"{INCIDENT}:short.detected.mail:record"]["text"])


def test_a_database_that_gives_no_answer_for_hours(tmp_path: Path) -> None:
    """Nobody is asked, it is given up after six hours, and the team reads why."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.ports.kept.hook = raise_error("documents.matching", Unavailable("the database is down"))
    world.pass_time(timedelta(hours=1))
    assert read_notice(world).status is NoticeStatus.PENDING
    assert "the database is down" in read_notice(world).last_error

    world.pass_time(timedelta(hours=6))

    assert read_questions(world) == []
    assert read_notice(world).status is NoticeStatus.UNDELIVERABLE
    short = str(read_notices(world)[f"{INCIDENT}:short.detected.mail:record"]["text"])
    assert "no user is told; given up: the database is down" in short


def test_a_database_that_answers_again(tmp_path: Path) -> None:
    """The question is asked within the longest wait of the channel, and users are told once."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.ports.kept.hook = raise_error("documents.matching", Unavailable("the database is down"))
    world.pass_time(timedelta(hours=2))
    assert read_questions(world) == []

    world.ports.kept.hook = no_hook
    world.pass_time(timedelta(minutes=11))
    assert "mail waits for approval, for 3 recipients;" in read_questions(world)[0]
    approve_message(world)
    world.pass_time(2 * MINUTES)

    assert count_mails(world) == TOLD
    assert {one.sent.notice["repeated"] for one in world.ports.sender.pushed} == {False}


def test_what_is_over_before_anybody_approves(tmp_path: Path) -> None:
    """They are not told that it begins: whether they hear that it has ended is another question."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.pass_time(2 * MINUTES)
    plan = read_notice(world).fingerprint
    for function, [serving] in world.live.items():
        world.platform.set_failure_rate(function, serving, 0.0)
    world.alert(state="closed")
    world.ports.alerts.open["0.abc"] = False
    world.pass_time(timedelta(hours=1))
    assert world.newest_incident.ended_at is not None
    asked = {one.event for one in StateReader(world.store).asked_messages("bookshop")}
    assert "detected" not in asked

    approve_message(world, plan=plan)
    world.pass_time(2 * MINUTES)

    assert "has ended: nothing is sent" in read_dead_letters(world)[-1]["reason"]
    world.pass_time(timedelta(hours=6))
    assert count_mails(world) == {}
    assert read_notice(world).status is NoticeStatus.WITHDRAWN


@WAYS
def test_addresses_are_stored_nowhere(
    kind: ChannelKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In no document of ours, log or audit event, and in nothing that the team reads."""
    world = build_world_with_addresses(tmp_path, USERS, kind, at_most=3)
    world.ports.sender.fates = {
        user_address("ada"): PushResult.NONE,
        user_address("bob"): PushResult.GONE,
        user_address("cleo"): PushResult.REFUSED,
    }
    world.pass_time(2 * MINUTES)
    assert approve_message(world) == ""
    world.pass_time(timedelta(hours=2))

    log = capsys.readouterr()
    everything = f"{log.out}{log.err}{json.dumps(world.documents, default=str)}"
    everything += str(world.sent_notices)
    assert "command.publish" in everything
    assert "hush" not in everything


def test_the_severity_of_a_question(tmp_path: Path) -> None:
    """It is that of the incident, so that channels and roles want it as they want the incident."""
    world = build_world_with_addresses(tmp_path, USERS)
    world.pass_time(2 * MINUTES)

    [asked] = [one for name, one in read_notices(world).items() if ":message.asked." in name]
    assert asked["severity"] == Severity.CRITICAL
