"""The accounts that functions run as, held against what Google has granted them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from shared.core import topics
from tests.terraform.checks import PREDEFINED, PUBLISHER
from tests.terraform.conftest import configuration
from tests.terraform.entry_points import needed
from tests.terraform.installation import Installation

Permissions = Mapping[str, set[str]]
"""By project, bucket, secret or topic."""
[PUBLISH] = PREDEFINED[PUBLISHER]


def account_faults(
    accounts: Mapping[str, str],
    existing: set[str],
    granted: Mapping[str, Permissions],
    required: Mapping[str, Permissions],
) -> Iterator[str]:
    """Yield what does not hold of the accounts by entry point.

    Each exists, is that of one function, and may do exactly what its entry point requires.
    """
    shared = Counter(accounts.values())
    for entry_point, account in accounts.items():
        if account not in existing:
            yield f"{entry_point}: {account} is not there, or disabled"
        if shared[account] > 1:
            yield f"{entry_point}: {account} is that of {shared[account]} functions"
        has, needs = granted.get(account, {}), required[entry_point]
        for place in sorted(has.keys() | needs.keys()):
            if lacking := needs.get(place, set()) - has.get(place, set()):
                yield f"{entry_point}: {account} may not {sorted(lacking)} in {place}"
            if beyond := has.get(place, set()) - needs.get(place, set()):
                yield f"{entry_point}: {account} may also {sorted(beyond)} in {place}"


def required_permissions(example: str) -> dict[str, Permissions]:
    """What the code of each entry point requires, its topics by name."""
    evaluated = configuration(example)
    found: dict[str, Permissions] = {}
    for entry_point in topics.ENTRY_POINTS:
        places = needed(evaluated, entry_point)
        named = {topic: {PUBLISH} for topic in topics.PUBLISHES[entry_point]}
        found[entry_point] = {**{place: may - {PUBLISH} for place, may in places.items()}, **named}
    return found


def existing_accounts(it: Installation) -> set[str]:
    """The accounts of the operations project that nobody has disabled."""
    accounts = f"iam.googleapis.com/v1/projects/{it.home}/serviceAccounts?pageSize=100"
    return {one["email"] for one in it.ask("GET", accounts)["accounts"] if not one.get("disabled")}


def granted_permissions(it: Installation) -> dict[str, Permissions]:
    """What Google has granted to each account in the project, its buckets, secrets and topics."""
    custom = it.ask("GET", f"iam.googleapis.com/v1/projects/{it.home}/roles?view=FULL&pageSize=1000")["roles"]
    roles = {**{one["name"]: {*one.get("includedPermissions", ())} for one in custom}, **PREDEFINED}
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for place, policy in _policies(it):
        for binding in policy.get("bindings", ()):
            for member in binding["members"]:
                permissions = roles.get(binding["role"], {binding["role"]})
                found[member.removeprefix("serviceAccount:")][place] |= permissions
    return {account: dict(places) for account, places in found.items()}


def _policies(it: Installation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Policies of the project, its accounts, buckets, secrets and topics, each with its place."""
    of_project, v3 = f"projects/{it.home}", "options.requestedPolicyVersion=3"
    asked = {"options": {"requestedPolicyVersion": 3}}
    yield it.home, it.ask("POST", f"cloudresourcemanager.googleapis.com/v1/{of_project}:getIamPolicy", asked)
    accounts = f"iam.googleapis.com/v1/{of_project}/serviceAccounts"
    for account in it.ask("GET", f"{accounts}?pageSize=100")["accounts"]:
        yield it.home, it.ask("POST", f"{accounts}/{account['email']}:getIamPolicy?{v3}")
    buckets = "storage.googleapis.com/storage/v1/b"
    for bucket in it.ask("GET", f"{buckets}?project={it.home}")["items"]:
        yield bucket["name"], it.ask("GET", f"{buckets}/{bucket['name']}/iam?optionsRequestedPolicyVersion=3")
    for secret in it.ask("GET", f"secretmanager.googleapis.com/v1/{of_project}/secrets")["secrets"]:
        name = secret["name"].rpartition("/")[2]
        yield name, it.ask("GET", f"secretmanager.googleapis.com/v1/{secret['name']}:getIamPolicy?{v3}")
    for topic in topics.ALL_TOPICS:
        yield topic, it.ask("GET", f"pubsub.googleapis.com/v1/{of_project}/topics/{topic}:getIamPolicy")
