"""The console, where it is asked for: who reaches it, and what its account may."""

import pytest

from shared.core.topics import CONSOLE_ENTRY_POINT, PUBLISHES
from tests.terraform.checks import (
    account_of,
    findings,
    functions,
    grants,
    members,
    operations_project,
    permissions,
)
from tests.terraform.conftest import configuration
from tests.terraform.entry_points import needed, settings_of
from tests.terraform.evaluator.evaluator import Configuration
from tests.terraform.module.minimal_variables import smallest_module

ONCALL = "group:oncall@example.com"


@pytest.fixture(scope="module")
def made() -> Configuration:
    """The module with a console, and a bucket of heads."""
    console = {"invokers": [ONCALL], "api_key": "AIza"}
    return smallest_module(console=console, audit_bucket={"location": "EU"})


def test_every_check_holds(made: Configuration) -> None:
    """Its account is its own, its changes are no deployments, its emergency stop stays."""
    assert findings(made) == []


def test_it_knows_who_it_is_and_so_does_the_responder(made: Configuration) -> None:
    """on_command believes of an operator what this one account says, and no other's."""
    console, responder = settings_of(made, CONSOLE_ENTRY_POINT), settings_of(made, "on_command")

    assert console.console_account == account_of(functions(made)[CONSOLE_ENTRY_POINT])
    assert responder.console_account == console.console_account
    assert (console.api_key, console.identity_project) == ("AIza", responder.identity_project)
    assert console.audit_bucket == made.outputs["buckets"]["audit"]


def test_its_account_may_do_what_its_adapters_do(made: Configuration) -> None:
    """It reads the state and the heads, sees who is disabled, signs as itself, and speaks."""
    settings = settings_of(made, CONSOLE_ENTRY_POINT)
    reading = {"datastore.databases.get", "datastore.entities.get", "datastore.entities.list"}
    of_account = {"iam.serviceAccounts.getOpenIdToken"}
    heads = {"storage.objects.get", "storage.objects.list"}
    users = {"firebaseauth.users.get"}

    may = permissions(made, CONSOLE_ENTRY_POINT)

    project = operations_project(made)
    assert may == {
        settings.audit_bucket: heads,
        settings.policy_bucket: heads,
        project: reading | of_account | users | {"pubsub.topics.publish"},
    }
    assert may == needed(made, CONSOLE_ENTRY_POINT)
    topics = [
        one.values["topic"]
        for one in made.of("google_pubsub_topic_iam_binding")
        if f"serviceAccount:{settings.console_account}" in members(one)
    ]
    assert topics == [*PUBLISHES[CONSOLE_ENTRY_POINT]]


def test_only_whom_the_variable_names_reaches_it(made: Configuration) -> None:
    """And nobody reaches anything else by it."""
    name = functions(made)[CONSOLE_ENTRY_POINT]["name"]

    invokers = [(one.values["name"], one.values["role"]) for one in grants(made) if ONCALL in members(one)]

    assert invokers == [(name, "roles/run.invoker")]


def test_without_the_variable_there_is_none() -> None:
    """No function, no account, and nobody's word is an operator's."""
    bare = configuration("minimal")

    assert CONSOLE_ENTRY_POINT not in functions(bare)
    assert settings_of(bare, "on_command").console_account is None
    assert not [one for one in bare.of("google_service_account") if "console" in one.address]
