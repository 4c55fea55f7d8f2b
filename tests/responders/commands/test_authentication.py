"""Each way to be wrong: what is answered, what is recorded, what is told.

The tokens are really signed: Google's libraries verify them, against certificates and users that
the embedded cloud serves.
"""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from local.cloud import Cloud
from local.control.proxy import build_proxy_environment
from local.core.clock import CloudClock
from local.services.identity import Account
from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
from shared.core import topics
from shared.core.codec import decode
from shared.core.store import Query
from shared.domain.commands.command import CommandRecord
from shared.domain.commands.credential import UsedToken, command_fingerprint, hash_token, token_path
from tests.support.fakes.identity import FakeIdentity
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import run_once
from tests.support.notices.system_events import read_dead_letters
from tests.support.runtime.world import BOOKSHOP, World

ADA = Account("ada@example.com", "pw", role="commander", totp_secret="JBSWY3DPEHPK3PXP")
DEPLOY = "deploy@bookshop-prod.iam.gserviceaccount.com"
MINUTE = timedelta(minutes=1)
Content = dict[str, Any]

PAUSE: Content = {"version": 1, "command": "pause", "reason": "a test"}
PROMOTION: Content = {
    "version": 1,
    "command": "promote",
    "system": "bookshop",
    "mode": "ask",
    "reason": "a test",
}
OWN_MISTAKE: Content = {
    "version": 1,
    "command": "rollback",
    "system": "bookshop",
    "groups": ["catalogue"],
    "severity": "LOW",
    "reason": "our own mistake",
}


OVERRIDE_OF_NOTHING: Content = {**OWN_MISTAKE, "override": True}
OVERRIDE: Content = {**OVERRIDE_OF_NOTHING, "incident": "INC-20260302-001"}
SECOND_FACTOR: Content = {"sign_in_provider": "password", "sign_in_second_factor": "totp"}


class Google:
    """Where people sign in, and the one adapter that verifies them."""

    def __init__(self, cloud: Cloud) -> None:
        self._place = cloud.identity
        self.adapter = GoogleIdentity(BOOKSHOP.project, anonymous=True)

    def person(self, account: Account = ADA, *, ago: timedelta = MINUTE, **changes: Any) -> str:
        """A token of somebody who signed in so long ago, with a second factor."""
        self._place.put(account)
        user = self._place.users.find_by_email(account.email)
        assert user is not None
        auth_time = int((START - ago).timestamp())
        claims = self._place.person_claims(user, second_factor=True, auth_time=auth_time)
        return self._place.person_token({**claims, **changes})

    def service(self, content: Content, **changes: Any) -> str:
        """A token of the example's pipeline for that command."""
        claims = self._place.service_claims(DEPLOY, command_fingerprint(content))
        return self._place.service_token({**claims, **changes})

    def resigned(self, token: str, header: Content) -> str:
        """The claims of a token under another header, signed by nobody who is known."""
        _, claims, signature = token.split(".")
        written = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        return f"{written}.{claims}.{signature}"

    def put(self, account: Account) -> None:
        """A person is like that from now on."""
        self._place.put(account)

    def remove(self, account: Account) -> None:
        """There is no such person any more."""
        user = self._place.users.find_by_email(account.email)
        assert user is not None
        self._place.users.remove(user.uid)

    def change(self, **changes: Any) -> None:
        """Ada's account is otherwise from now on."""
        account = Account(ADA.email, ADA.password, role=ADA.role, totp_secret=ADA.totp_secret)
        for name, value in changes.items():
            setattr(account, name, value)
        self._place.put(account)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    clock = CloudClock(START, scale=0)
    cloud = Cloud.start([BOOKSHOP], seed=1, clock=clock, alerter=False, ticks=False)
    yield cloud
    cloud.stop()


@pytest.fixture(scope="module")
def google(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """One for all of them: what it fetches, it keeps."""
    google = Google(cloud)
    with pytest.MonkeyPatch.context() as environment:
        folder = tmp_path_factory.mktemp("authority")
        for name, value in build_proxy_environment(cloud.addresses["control"], folder).items():
            environment.setenv(name, value)
        yield google
        google.adapter.close()


@pytest.fixture
def world(google: Google) -> World:
    world = World()
    world.ports.identity = google.adapter
    go_back(world)
    return world


def go_back(world: World) -> None:
    """To the moment at which the embedded cloud stands."""
    world.ports.clock.jump(START - world.now)


def say(world: World, content: Content, topic: str = topics.COMMANDS) -> None:
    world.publish(topic, content)
    world.settle()


def records(world: World) -> list[CommandRecord]:
    """What was carried out, but for the promotion that made the world."""
    commands = [decode(CommandRecord, one.fields) for one in world.store.query(Query("commands"))]
    return [one for one in commands if one.actor != "somebody"]


def nobody(_: Google) -> Content:
    return PAUSE


def claims(content: Content = PAUSE, **changes: Any) -> Callable[[Google], Content]:
    return lambda google: {**content, "token": google.person(**changes)}


def having(role: str | None, content: Content = PROMOTION) -> Callable[[Google], Content]:
    account = Account("eve@example.com", "pw", role=role)
    return lambda google: {**content, "token": google.person(account)}


def of_service(content: Content, said: Content | None = None, **changes: Any) -> Any:
    return lambda google: {**(said or content), "token": google.service(content, **changes)}


def disabled(google: Google) -> Content:
    token = google.person()
    google.change(disabled=True)
    return {**PAUSE, "token": token}


def revoked(google: Google) -> Content:
    stolen = Account("stolen@example.com", "pw", role="commander")
    token = google.person(stolen, iat=int((START - MINUTE).timestamp()))
    google.put(Account(stolen.email, stolen.password, role=stolen.role, revoke=True))
    return {**PAUSE, "token": token}


def deleted(google: Google) -> Content:
    leaver = Account("leaver@example.com", "pw", role="commander")
    token = google.person(leaver)
    google.remove(leaver)
    return {**PAUSE, "token": token}


def headed(**header: Any) -> Callable[[Google], Content]:
    """A person's token, under a header that says so."""
    return lambda google: {**PAUSE, "token": google.resigned(google.person(), header)}


def tampered(google: Google) -> Content:
    token = google.person()
    return {**PAUSE, "token": token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 7 + "A")}


def in_the_reason(google: Google) -> Content:
    return {**PAUSE, "reason": "with eyJhbGciOi.eyJpc3Mi.c2ln", "token": google.person()}


PAST = int((START - 90 * MINUTE).timestamp())
WRONG: dict[str, tuple[Callable[[Google], Content], str]] = {
    "no token": (nobody, "no token"),
    "an empty token": (lambda _: {**PAUSE, "token": ""}, "token"),
    "a token that is a number": (lambda _: {**PAUSE, "token": 5}, "the field token holds none"),
    "no token at all in it": (lambda _: {**PAUSE, "token": "let me in"}, "malformed"),
    "signed by nobody": (tampered, "signature"),
    "expired": (claims(iat=PAST, exp=PAST + 3600), "expired"),
    "from the future": (claims(iat=4_000_000_000, exp=4_000_003_600), "future"),
    "of another project": (
        claims(iss="https://securetoken.google.com/elsewhere", aud="elsewhere"),
        "foreign",
    ),
    "of another issuer": (claims(iss="https://accounts.example.com"), "foreign"),
    "of a tenant": (claims(firebase={**SECOND_FACTOR, "tenant": "elsewhere"}), "of a tenant"),
    "signed with a shared secret": (headed(alg="HS256", kid="k"), "RS256 and a named key"),
    "not signed": (headed(alg="none"), "RS256 and a named key"),
    "signed with a key that has no name": (headed(alg="RS256"), "RS256 and a named key"),
    "signed with a key that nobody publishes": (headed(alg="RS256", kid="unknown"), "signature"),
    "of a disabled user": (disabled, "disabled"),
    "revoked": (revoked, "revoked"),
    "of a user who was deleted": (deleted, "does not exist"),
    "no role": (having(None), "has no role; promote needs admin"),
    "a role of somebody's fancy": (having("superuser"), "has no role"),
    "a role that is too low": (having("commander"), "is commander; promote needs admin"),
    "a viewer": (having("viewer"), "is viewer; promote needs admin"),
    "no second factor": (claims(firebase={"sign_in_provider": "password"}), "second factor"),
    "signed in long ago": (claims(ago=5 * MINUTE + timedelta(seconds=1)), "sign in again"),
    "signed in in the future": (claims(ago=-MINUTE), "future"),
    "an override by a responder": (
        having("responder", OVERRIDE),
        "is responder; an override of rollback needs commander",
    ),
    "an override without a second factor": (
        claims(OVERRIDE, firebase={"sign_in_provider": "password"}),
        "second factor",
    ),
    "an override by a service": (of_service(OVERRIDE), "an override needs a person"),
    "an override without an incident": (
        lambda google: {**OVERRIDE_OF_NOTHING, "token": google.person()},
        "incident is missing",
    ),
    "a service that is not listed": (
        of_service(OWN_MISTAKE, email="ci@elsewhere.iam.gserviceaccount.com"),
        "not allow-listed",
    ),
    "a service, for another command": (
        of_service(OWN_MISTAKE, {**OWN_MISTAKE, "reason": "another"}),
        "not the hash of this command",
    ),
    "a service that may not say it": (of_service(PAUSE), "may not say pause"),
    "a service beyond its groups": (
        of_service({**OWN_MISTAKE, "groups": ["checkout"]}),
        "limited to catalogue",
    ),
    "a service beyond its severity": (
        of_service({**OWN_MISTAKE, "severity": "CRITICAL"}),
        "limited to MEDIUM, LOW",
    ),
    "an address that nobody verified": (of_service(OWN_MISTAKE, email_verified=False), "no verified e-mail"),
    "a token where it does not belong": (in_the_reason, "outside the field token"),
}


def test_a_claim_to_have_been_said_earlier_makes_no_sign_in_newer(world: World, google: Google) -> None:
    """Whoever took a token says it now, whatever attribute they send with it."""
    freeze = {"version": 1, "command": "pause", "system": "bookshop", "reason": "a test"}
    command = {**freeze, "token": google.person(ago=50 * MINUTE)}
    earlier = (world.now - 49 * MINUTE).isoformat()
    data = json.dumps(command).encode()
    world.ports.bus.publish(topics.COMMANDS, data, {"first_published_at": earlier})

    world.settle()

    [letter] = read_dead_letters(world)
    assert "sign in again" in letter["reason"]


def audited_and_told(world: World, before: Content, reason: str) -> dict[str, str]:
    """The documents that a refusal has made, as texts: one event, its notices, and no other."""
    after = world.documents
    new = {path: str(after[path]) for path in after.keys() - before.keys()}
    audited = [text for path, text in new.items() if path.startswith("systems/unclaimed/audit/")]
    told = [path for path in new if path.startswith("notices/")]
    assert len(audited) == 1
    assert reason in audited[0]
    assert told != []
    assert all(reason in str(after[path]["text"]) for path in told)
    assert len(audited) + len(told) == len(new)
    return new


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_token_is_refused_audited_told_and_nothing_is_done(
    case: str, world: World, google: Google
) -> None:
    """Acknowledged, in the audit trail and on the dead letters with its reason, without the token.

    Nothing is switched, promoted or rolled back, and the token is not used up by it.
    """
    make, reason = WRONG[case]
    content = make(google)
    before = dict(world.documents)

    say(world, content)

    assert [one for one in world.waiting() if one.topic == topics.COMMANDS] == []  # acknowledged
    [letter] = read_dead_letters(world)
    assert reason in letter["reason"]
    assert letter["source_topic"].endswith(topics.COMMANDS)
    after = world.documents
    new = audited_and_told(world, before, reason)  # no command, no used token, no incident
    changed = [path for path in before if before[path] != after[path]]
    of_telling = ("channels/", "systems/unclaimed")
    assert [path for path in changed if not path.startswith(of_telling)] == []
    token = content.get("token")
    if isinstance(token, str) and len(token) > 20:
        everything = [*new.values(), *(str(one) for one in world.ports.bus.messages)]
        assert not any(part in text for part in token.split(".") for text in everything)


def test_a_person_with_a_good_token_is_named_in_the_trail(world: World, google: Google) -> None:
    """Not who they say they are, but who the token says."""
    token = google.person()

    say(world, {**PAUSE, "id": "mine", "actor": "the boss", "token": token})

    assert read_dead_letters(world) == []
    [record] = records(world)
    assert (record.id, record.actor) == ("mine", ADA.email)
    used = world.store.get(token_path(hash_token(token)))
    assert decode(UsedToken, used.fields).command == "mine"


def test_a_service_account_within_its_limits(world: World, google: Google) -> None:
    """A pipeline takes its own mistake back."""
    world.deploy_bad(["getBook"])
    go_back(world)

    say(world, {**OWN_MISTAKE, "token": google.service(OWN_MISTAKE)})

    assert read_dead_letters(world) == []
    assert [one.actor for one in records(world)] == [DEPLOY]


def test_a_used_token_with_another_command(world: World, google: Google) -> None:
    """A token authorises one command: the second one is refused, audited and told."""
    token = google.person()
    say(world, {**PAUSE, "id": "first", "token": token})
    before = dict(world.documents)

    say(world, {**PAUSE, "id": "second", "token": token})

    [letter] = read_dead_letters(world)
    reason = "was already used by command first"
    assert reason in letter["reason"]
    assert [one.id for one in records(world)] == ["first"]
    audited_and_told(world, before, reason)


def test_a_used_token_in_another_spelling(world: World, google: Google) -> None:
    """A lenient decoder would take it for the same signature, and its hash for a new token."""
    token = google.person()
    say(world, {**PAUSE, "id": "first", "token": token})
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    for other in (token + "=", token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]):
        say(world, {**PAUSE, "id": f"second-{len(other)}", "token": other})

    assert ["malformed" in one["reason"] for one in read_dead_letters(world)] == [True, True]
    assert len(records(world)) == 1


def test_a_redelivery_after_the_token_has_expired(world: World, google: Google) -> None:
    """What was carried out is recognised first: nobody is asked, nothing is refused."""
    content = {**PAUSE, "id": "mine", "token": google.person()}
    say(world, content)
    world.advance_clock(120 * MINUTE)
    google.change(disabled=True)

    say(world, content)

    assert read_dead_letters(world) == []
    assert len(records(world)) == 1


def test_two_instances_carry_out_the_same_command_at_once(world: World, google: Google) -> None:
    """Whoever comes second finds command and token used by this very command, and is done."""
    content = {**PAUSE, "id": "mine", "token": google.person()}
    doubled: list[bool] = []

    def meanwhile(verb: str, side: str) -> None:
        if (verb, side) == ("store.commit", "before") and not doubled:
            doubled.append(True)
            say(world, content)

    world.store.hook = meanwhile
    say(world, content)

    assert doubled == [True]
    assert read_dead_letters(world) == []
    assert len(records(world)) == 1


def test_two_commands_race_for_one_token(world: World, google: Google) -> None:
    """The commit that creates the use of the token wins; the other command is refused."""
    token = google.person()
    world.store.hook = run_once(
        "store.commit", "before", lambda: say(world, {**PAUSE, "id": "fast", "token": token})
    )
    say(world, {**PAUSE, "id": "slow", "token": token})

    assert [one.id for one in records(world)] == ["fast"]
    [letter] = read_dead_letters(world)
    assert "already used" in letter["reason"]


def test_an_identity_service_that_is_down(world: World) -> None:
    """Nothing is known: the command waits for a redelivery, and is neither done nor refused."""
    identity = FakeIdentity(world.ports.clock, BOOKSHOP.project)
    world.ports.identity = identity
    identity.is_down = True
    world.publish(topics.COMMANDS, {**PAUSE, "token": identity.person()})
    [command] = world.waiting()

    assert not world.deliver(command)
    assert read_dead_letters(world) == []
    assert records(world) == []

    identity.is_down = False
    world.settle()
    assert len(records(world)) == 1


@pytest.mark.parametrize("token", [None, "whatever"])
def test_an_override_needs_no_token(world: World, token: str | None) -> None:
    """The topic is guarded by IAM alone; the trail says that nobody was proven."""
    world.ports.identity = identity = FakeIdentity(world.ports.clock, BOOKSHOP.project)
    command = {**PAUSE, "id": "mine", "actor": "ada@example.com"}
    say(world, command if token is None else {**command, "token": token}, topics.OVERRIDE)

    assert read_dead_letters(world) == []
    assert identity.asked == 0
    record = decode(CommandRecord, world.store.get("commands/mine").fields)
    assert record.actor == "override: ada@example.com"


def test_a_topic_that_nobody_knows_is_no_override(world: World) -> None:
    """Where a message does not tell where it comes from, it needs a token."""
    world.publish(topics.COMMANDS, PAUSE)
    [command] = world.waiting()
    world.responders[""] = world.responders[topics.COMMANDS]

    assert world.deliver(replace(command, topic=""))

    assert "no token" in read_dead_letters(world)[0]["reason"]
