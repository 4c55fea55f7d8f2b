"""Apply examples with the real Terraform: `python -m tests.terraform.applies minimal`."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

from tests.terraform.entry_points import ROOT
from tests.terraform.installation import MODULE, Installation, installed
from tests.terraform.responders import check_accounts, roll_back

OPERATE = ROOT / "docs" / "operate.md"
PUBLISHED = "storage.googleapis.com/storage/v1/b/{}-rollback-policies/o/policies.json?alt=media"


def apply(it: Installation) -> str:
    """The first apply makes what the documentation counts; what was there is imported."""
    it.run("init", "-input=false", "-no-color")
    added, changed, destroyed = it.apply().done
    shown = f"Apply complete! Resources: {added} added, {changed} changed, {destroyed} destroyed."
    assert f"| {it.example} | {len(it.listed())} |" in OPERATE.read_text(), shown
    assert it.example != "minimal" or shown in OPERATE.read_text(), shown
    return shown


def plan(it: Installation) -> str:
    """What was applied is what Google has: the next plan has no change."""
    outcome = it.outcome("plan", "-detailed-exitcode")
    assert (outcome.code, outcome.planned, outcome.errors) == (0, {}, []), outcome
    return "no changes"


def change_policy(it: Installation) -> str:
    """A changed policy file is published."""
    it.edit("policies/cvplus.yaml", "display_name: CVPlus", "display_name: CVPlus Two")
    outcome = it.apply()
    assert "CVPlus Two" in it.ask("GET", PUBLISHED.format(it.home))["cvplus.yaml"], outcome
    return f"{outcome.done[1]} changed"


def change_release(it: Installation) -> str:
    """A changed source is a new object, and a new revision of each function."""
    before = it.functions()
    it.edit("main.py", '"""\n', '"""\n# changed\n')
    outcome = it.apply()
    archive = {("google_storage_bucket_object", "replace"), ("terraform_data", "replace")}
    assert outcome.kinds() == {("google_cloudfunctions2_function", "update"), *archive}, outcome
    for name, function in it.functions().items():
        source = function["buildConfig"]["source"]["storageSource"]["object"]
        assert source != before[name]["buildConfig"]["source"]["storageSource"]["object"], name
        assert function["serviceConfig"]["revision"] != before[name]["serviceConfig"]["revision"], name
    return f"{len(before)} functions changed"


def replace_function(it: Installation) -> str:
    """A function that is made anew gets its grant again."""
    address = 'google_cloudfunctions2_function.responders["on_clock"]'
    outcome = it.apply(f"-replace={MODULE}{address}")
    assert outcome.planned[address] == "replace", outcome
    [name] = [one for one in it.functions() if one.endswith("on-clock")]
    service = name.replace("/functions/", "/services/")
    [granted] = it.ask("GET", f"run.googleapis.com/v2/{service}:getIamPolicy").get("bindings", [])
    assert granted["members"] == [f"serviceAccount:rollback-push@{it.home}.iam.gserviceaccount.com"]
    return "its invoker is granted again"


def stop_and_lift(it: Installation) -> str:
    """An apply leaves the emergency stop and warns; the two lines of the documentation lift it."""
    address = 'google_pubsub_subscription.push["rollback-work"]'
    subscription = f"pubsub.googleapis.com/v1/projects/{it.home}/subscriptions/rollback-work-push"
    email = f"rollback-on-work@{it.home}.iam.gserviceaccount.com"
    account = f"iam.googleapis.com/v1/projects/{it.home}/serviceAccounts/{email}"
    it.ask("POST", f"{subscription}:detach", {})
    it.ask("POST", f"{account}:disable", {})
    stopped = it.apply()
    assert any(email in warning for warning in stopped.warnings), stopped
    assert (stopped.planned, it.ask("GET", account)["disabled"]) == ({}, True), stopped
    assert it.ask("GET", subscription)["detached"], stopped
    it.ask("POST", f"{account}:enable", {})
    lifted = it.apply(f"-replace={MODULE}{address}")
    assert (lifted.planned[address], lifted.warnings) == ("replace", []), lifted
    assert not it.ask("GET", subscription).get("detached"), lifted
    assert it.ask("GET", f"{subscription}:getIamPolicy").get("bindings"), lifted
    return "left by an apply, then lifted"


def remove(it: Installation) -> str:
    """A destroy refuses what is protected, and leaves it and enabled APIs; all else is gone."""
    buckets = "storage.googleapis.com/storage/v1/b"
    for bucket in it.ask("GET", f"{buckets}?project={it.home}")["items"]:
        if bucket["name"].startswith(f"{it.home}-rollback-"):  # as gcloud storage rm --recursive does
            place = f"{buckets}/{bucket['name']}"
            for one in it.ask("GET", f"{place}/o?versions=true").get("items", []):
                it.ask("DELETE", f"{place}/o/{quote(one['name'], '')}?generation={one['generation']}")
            it.ask("DELETE", place)
    secrets = {one for one in it.listed() if one.startswith("google_secret_manager_secret.")}
    outcome = it.outcome("destroy", "-auto-approve")
    assert outcome.refused == secrets, outcome.errors
    assert all("deletion_protection" in error for error in outcome.errors), outcome.errors
    left = {address.partition(".")[0] for address in it.listed() - secrets}
    assert left <= {"google_project_service"}, left
    assert it.functions() == {}
    found = it.ask("GET", f"firestore.googleapis.com/v1/projects/{it.home}/databases/rollback")
    assert found["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED", found
    return f"{outcome.done[2]} destroyed; the state database and {len(secrets)} secrets stay"


def install_again(it: Installation) -> str:
    """What stayed is imported; the apply restores the deleted roles, and the next plan is empty."""
    it.adopt("google_firestore_database.state", f"projects/{it.home}/databases/rollback")
    return f"{it.apply().done[0]} added, {plan(it)}"


def delete_secrets(it: Installation) -> str:
    """Once a person has deleted the secrets, another destroy leaves nothing in the state."""
    for secret in it.ask("GET", f"secretmanager.googleapis.com/v1/projects/{it.home}/secrets")["secrets"]:
        it.ask("DELETE", f"secretmanager.googleapis.com/v1/{secret['name']}")
    outcome = it.outcome("destroy", "-auto-approve")
    assert (outcome.code, outcome.errors, it.listed()) == (0, [], set()), outcome
    return "the state is empty"


Step = Callable[[Installation], str]
WHOLE: Sequence[Step] = (
    *(apply, plan, change_policy, change_release, replace_function, stop_and_lift),
    *(check_accounts, roll_back, remove, install_again),
)
LEAST: Sequence[Step] = (apply, plan, remove, delete_secrets)
DEMO: Sequence[Step] = (apply, plan, check_accounts, roll_back)
"""What `make demo PROVISION=terraform` shows."""


def play(example: str) -> Iterator[str]:
    """A row for each step of an example, once it is done. Raises: AssertionError."""
    with installed(example) as installation:
        whole = DEMO if os.environ.get("STEPS") == "demo" else WHOLE
        for step in whole if example == "minimal" else LEAST:
            began = time.monotonic()
            result = step(installation)
            yield f"| {example} | {step.__name__} | {result} | {time.monotonic() - began:.0f} s |"


if __name__ == "__main__":
    for row in (row for example in sys.argv[1:] for row in play(example)):
        print(row, flush=True)  # noqa: T201
