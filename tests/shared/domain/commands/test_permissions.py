"""Who may say which command: the table, and every way to exceed it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.domain.commands import permissions
from shared.domain.commands.credential import Credential, CredentialKind, command_fingerprint
from shared.domain.commands.permissions import ISSUER_CLOCK_SKEW_TOLERANCE, PermissionRequest, objections
from shared.domain.commands.registry import COMMAND_RULES
from shared.domain.policy.operator_identity import Principal, Role
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policy
from tests.support.fakes.runtime.clock import START
from tests.support.runtime.world import BOOKSHOP

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
PLAIN = replace(BOOKSHOP, identity=replace(BOOKSHOP.identity, roles={}, auth_within=10 * MINUTE))
DEPLOY = "deploy@bookshop-prod.iam.gserviceaccount.com"


def person(role: Role | None = Role.ADMIN, **changes: Any) -> Credential:
    credential = Credential(
        subject="uid-ada",
        name="ada@example.com",
        kind=CredentialKind.PERSON,
        role=role,
        second_factor=True,
        authenticated_at=START - MINUTE,
        issued_at=START,
        expires_at=START + 60 * MINUTE,
        audience="bookshop-prod",
        token_hash="0" * 64,
    )
    return replace(credential, **changes)


def service(asked: PermissionRequest, **changes: Any) -> Credential:
    credential = person(None, kind=CredentialKind.SERVICE, name=DEPLOY, second_factor=False)
    return replace(credential, **{"audience": asked.fingerprint, **changes})


def asked(command: str = "pause", **content: Any) -> PermissionRequest:
    return PermissionRequest.from_content({"version": 1, "command": command, "reason": "a test", **content})


def verdict(asked: PermissionRequest, credential: Credential, *policies: Policy) -> list[str]:
    return objections(asked, credential, policies or (PLAIN,), START)


@pytest.mark.parametrize("verb", COMMAND_RULES)
@pytest.mark.parametrize("role", Role)
def test_a_role_may_do_what_its_table_says_and_no_more(verb: str, role: Role) -> None:
    """Each role of each verb: just enough passes, one less is told."""
    found = verdict(asked(verb), person(role))

    assert (found == []) == (role >= COMMAND_RULES[verb].role)
    if found:
        needed = COMMAND_RULES[verb].role.name.lower()
        assert found == [f"ada@example.com is {role.name.lower()}; {verb} needs {needed}"]


def test_a_viewer_may_look_and_say_nothing() -> None:
    """No command is open to whoever only reads."""
    assert min(one.role for one in COMMAND_RULES.values()) > Role.VIEWER


def test_a_verb_that_nobody_knows_is_an_admin_s() -> None:
    """What was forgotten in the table is not open to everybody."""
    assert verdict(asked("explode"), person(Role.COMMANDER)) != []
    assert verdict(asked("explode"), person(Role.ADMIN)) == []


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({}, None),
        ({"role": None}, "has no role"),
        ({"second_factor": False}, "without a second factor"),
        ({"authenticated_at": START - 10 * MINUTE}, None),
        ({"authenticated_at": START - 10 * MINUTE - SECOND}, "more than 10m ago"),
        ({"authenticated_at": START + ISSUER_CLOCK_SKEW_TOLERANCE}, None),
        ({"authenticated_at": START + ISSUER_CLOCK_SKEW_TOLERANCE + SECOND}, "signed in in the future"),
        ({"expires_at": START + SECOND}, None),
        ({"expires_at": START}, "expired"),
        ({"issued_at": START + ISSUER_CLOCK_SKEW_TOLERANCE}, None),
        ({"issued_at": START + ISSUER_CLOCK_SKEW_TOLERANCE + SECOND}, "issued in the future"),
        ({"audience": "whatever the verifier took"}, None),
    ],
)
def test_what_a_person_s_token_must_be(changes: dict[str, Any], objection: str | None) -> None:
    """Barely good enough passes; barely not is told."""
    found = verdict(asked("rollback"), person(**changes))

    assert len(found) == (objection is not None)
    assert objection is None or objection in found[0]


@pytest.mark.parametrize(
    ("content", "changes", "objection"),
    [
        ({"severity": "LOW", "groups": ["catalogue"]}, {}, None),
        ({"severity": "MEDIUM", "functions": ["getBook"]}, {}, None),
        ({"severity": "HIGH", "groups": ["catalogue"]}, {}, "limited to MEDIUM, LOW: not HIGH"),
        ({"groups": ["catalogue"]}, {}, "not CRITICAL"),
        ({"severity": "LOW"}, {}, "limited to catalogue: not checkout, storefront"),
        ({"severity": "LOW", "groups": ["shop"]}, {}, "limited to catalogue: not storefront"),
        ({"severity": "LOW", "functions": ["payOrder"]}, {}, "limited to catalogue: not checkout"),
        ({"severity": "LOW", "groups": ["nowhere"]}, {}, "not nowhere"),
        ({"severity": "LOW", "groups": ["catalogue"]}, {"audience": "0" * 64}, "audience is not the hash"),
        (
            {"severity": "LOW", "groups": ["catalogue"]},
            {"name": "other@x.iam.gserviceaccount.com"},
            "not allow-listed for bookshop",
        ),
        ({"severity": "LOW", "groups": ["catalogue"], "override": True}, {}, "needs a person"),
        ({"command": "pause", "groups": ["catalogue"]}, {}, "may not say pause"),
        ({"severity": "LOW", "groups": ["catalogue"], "auto_confirm": True}, {}, "may not say approve"),
        ({"severity": "LOW", "groups": ["catalogue"]}, {"expires_at": START}, "expired"),
        ({"severity": "LOW", "groups": ["catalogue"]}, {"authenticated_at": START - 30 * MINUTE}, None),
    ],
)
def test_what_a_service_account_may_say(
    content: dict[str, Any], changes: dict[str, Any], objection: str | None
) -> None:
    """What the policy lists for it, for one command, and nothing beyond."""
    said = asked(**{"command": "rollback", "system": "bookshop", **content})

    found = verdict(said, service(said, **changes), BOOKSHOP)

    assert len(found) == (objection is not None)
    assert objection is None or objection in found[0]


@pytest.mark.parametrize("verb", ["undo", "unpin"])
def test_what_a_rollback_did_is_taken_back_by_a_person_alone(verb: str) -> None:
    """No policy can let a service account say it."""
    listed = Principal(DEPLOY, (verb,))
    policy = replace(PLAIN, identity=replace(PLAIN.identity, principals=(listed,)))
    said = asked(verb)

    assert verdict(said, service(said), policy) == [f"{verb} needs a person"]


def test_a_service_account_must_be_listed_in_every_system_that_it_concerns() -> None:
    """A pause of everything concerns everybody."""
    listed = Principal(DEPLOY, ("pause",))
    one = replace(PLAIN, identity=replace(PLAIN.identity, principals=(listed,)))
    other = replace(PLAIN, system="other", identity=replace(PLAIN.identity, principals=()))
    said = asked("pause")

    assert verdict(said, service(said), one) == []
    assert verdict(said, service(said), one, other) == [f"{DEPLOY} is not allow-listed for other"]
    assert objections(said, service(said), (), START) == [f"{DEPLOY} is not allow-listed"]


def test_an_order_that_confirms_itself_needs_who_may_approve() -> None:
    """An order of what the policy asks about is no way round the role that it asks for."""
    strict = replace(PLAIN, identity=replace(PLAIN.identity, roles={"approve": Role.ADMIN}))
    order, confirmed = asked("rollback"), asked("rollback", auto_confirm=True)

    assert verdict(order, person(Role.COMMANDER), strict) == []
    assert verdict(confirmed, person(Role.ADMIN), strict) == []
    assert verdict(confirmed, person(Role.COMMANDER), strict) != []


def test_the_strictest_policy_counts() -> None:
    """Where a command concerns several systems, every one must agree."""
    strict = replace(PLAIN, identity=replace(PLAIN.identity, roles={"pause": Role.ADMIN}, auth_within=MINUTE))
    late = person(Role.COMMANDER, authenticated_at=START - 2 * MINUTE)

    assert verdict(asked("pause"), late, PLAIN) == []
    assert verdict(asked("pause"), late, PLAIN, strict) == [
        "ada@example.com is commander; pause needs admin",
        "signed in more than 1m ago: sign in again",
    ]


def test_a_policy_may_ask_less() -> None:
    """The example lets whoever is on call end an escalation."""
    assert verdict(asked("accept"), person(Role.RESPONDER), BOOKSHOP) == []
    assert verdict(asked("accept"), person(Role.RESPONDER), PLAIN) != []


@pytest.mark.parametrize(
    ("role", "passes"), [(Role.RESPONDER, False), (Role.COMMANDER, True), (Role.ADMIN, True)]
)
def test_an_override_needs_a_commander_whatever_the_verb(role: Role, *, passes: bool) -> None:
    """Breaking the glass is never easier than the verb, nor below a commander."""
    assert (verdict(asked("pause", override=True), person(role)) == []) == passes
    assert verdict(asked("promote", override=True), person(Role.COMMANDER)) != []


def test_every_fault_is_told_at_once() -> None:
    """Who mends a token learns of all that is wrong with it."""
    wrong = person(
        Role.VIEWER, second_factor=False, authenticated_at=START - 60 * MINUTE, expires_at=START - MINUTE
    )

    assert len(verdict(asked("rollback"), wrong)) == 4


def test_the_severity_of_what_is_no_rollback_is_not_limited() -> None:
    """A switch has none."""
    listed = Principal(DEPLOY, ("pause",), severities=(Severity.LOW,))
    policy = replace(PLAIN, identity=replace(PLAIN.identity, principals=(listed,)))
    said = asked("pause")

    assert verdict(said, service(said), policy) == []


@pytest.mark.parametrize("verb", ["approve", "reject", "cancel", "retry", "accept", "ack"])
@pytest.mark.parametrize(
    ("severity", "objection"),
    [
        (Severity.LOW, None),
        (Severity.MEDIUM, None),
        (Severity.HIGH, "limited to MEDIUM, LOW: not HIGH"),
        (None, "limited to MEDIUM, LOW: not CRITICAL"),
    ],
)
def test_what_acts_on_an_incident_is_limited_by_its_severity(
    verb: str, severity: Severity | None, objection: str | None
) -> None:
    """Whichever verb it is; of an incident that nobody knows the worst is assumed."""
    limits = (Severity.MEDIUM, Severity.LOW)
    listed = Principal(DEPLOY, (verb,), severities=limits)
    policy = replace(PLAIN, identity=replace(PLAIN.identity, principals=(listed,)))
    content = {"command": verb, "incident": "INC-20260302-001", "severity": "LOW"}
    said = PermissionRequest.from_content(content, severity)

    found = verdict(said, service(said), policy)

    assert found == ([] if objection is None else [f"{DEPLOY} in {policy.system} is {objection}"])


COMMAND = {"version": 1, "command": "pause", "reason": "Störung", "delay_seconds": 5}


def test_the_hash_of_a_command_is_what_its_page_says() -> None:
    """Known to scripts in other languages: it never changes."""
    assert command_fingerprint(COMMAND) == (
        "d5bbcbd3f6aa49d1d5189ee41f03f2e053ec323e209805a958f6df5fb4da3992"
    )


@given(st.permutations(list(COMMAND)), st.text())
def test_the_hash_does_not_depend_on_order_or_token(order: list[str], token: str) -> None:
    """The token's audience is the hash: it cannot be part of it."""
    shuffled = {name: COMMAND[name] for name in order}

    assert command_fingerprint({**shuffled, "token": token}) == command_fingerprint(COMMAND)


@pytest.mark.parametrize(
    "change", [{"reason": "Storung"}, {"delay_seconds": 6}, {"extra": None}, {"command": "resume"}]
)
def test_the_hash_binds_everything_else(change: dict[str, Any]) -> None:
    """A token for one command is no token for another."""
    assert command_fingerprint({**COMMAND, **change}) != command_fingerprint(COMMAND)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_hostile_content_is_judged_and_not_crashed_on(value: Any) -> None:
    """Whatever stands in the fields that are looked at."""
    content = dict.fromkeys(("command", "groups", "functions", "severity", "override"), value)
    said = PermissionRequest.from_content(content)

    assert permissions.objections(said, person(None), (PLAIN,), START) != []
    assert msgspec.json.encode(said)
