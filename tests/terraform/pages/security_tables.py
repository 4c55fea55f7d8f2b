"""The tables of docs/security.md: `python -m tests.terraform.pages.security_tables` prints them."""

import re
from collections import defaultdict

from tests.terraform.checks import grants, members, operations_project
from tests.terraform.conftest import configuration
from tests.terraform.evaluator.evaluator import Configuration, Resource


def reason_of(grant: Resource, member: str, reasons: dict[str, str]) -> str:
    """Why somebody has a grant: by its address, and by role and member where there are several."""
    role = short_role(grant)
    keys = (f"{grant.address} {role} {member}", f"{grant.address} {member}", grant.address)
    return next(
        (reasons[key] for key in keys if key in reasons), reasons.get(f"{grant.type}.{grant.name}", "")
    )


def short_role(grant: Resource) -> str:
    """The name of a role, without what all of its kind begin with."""
    return re.sub(r"^(roles/|.*/rollback_)", "", str(grant.values.get("role")))


def place(grant: Resource, project: str) -> str:
    """Where a grant holds, in words that are the same in every project."""
    values = grant.values
    for key, kind in {
        "bucket": "bucket",
        "topic": "topic",
        "subscription": "subscription",
        "secret_id": "secret",
        "repository": "repository",
        "crypto_key_id": "key",
        "service_account_id": "account",
        "name": "function",
    }.items():
        if key in values:
            name = str(values[key]).rpartition("/")[2].removeprefix(f"{project}-").partition("@")[0]
            return f"{kind} `{name.replace('number-of-', '')}`"
    under = [one["title"] for one in values.get("condition", [])]
    return " ".join([f"project `{values['project']}`", *(f"({one})" for one in under)])


def custom_roles(example: Configuration) -> str:
    """Each custom role, with its permissions and who has it."""
    holders: dict[str, set[str]] = defaultdict(set)
    for grant in grants(example):
        holders[grant.values["role"]] |= {short_member(one) for one in members(grant)}
    lines = ["| custom role | permissions | held by |", "|---|---|---|"]
    for one in example.of("google_project_iam_custom_role"):
        role = f"projects/{one.values['project']}/roles/{one.values['role_id']}"
        allowed = ", ".join(f"`{permission}`" for permission in one.values["permissions"])
        lines.append(f"| `{one.values['role_id']}` | {allowed} | {', '.join(sorted(holders[role]))} |")
    return "\n".join(lines)


def tables() -> tuple[str, str]:
    """The tables of the page: of the smallest installation."""
    minimal = configuration("minimal")
    return custom_roles(minimal), every_grant(minimal)


def every_grant(example: Configuration) -> str:
    """Each grant, with its reason: a line for all places in which it is the same."""
    reasons, project = example.outputs["rollback"]["grants"], operations_project(example)
    places: dict[tuple[str, str, str], dict[str, None]] = {}
    for grant in grants(example):
        why: dict[str, list[str]] = defaultdict(list)
        for member in members(grant):
            why[reason_of(grant, member, reasons)].append(short_member(member))
        for reason, who in why.items():
            row = (short_role(grant), ", ".join(sorted(who)), reason)
            places.setdefault(row, {})[place(grant, project)] = None
    lines = ["| where | role | who | why |", "|---|---|---|---|"]
    for (role, named, reason), where in places.items():
        lines.append(f"| {', '.join(where)} | `{role}` | {named} | {reason} |")
    return "\n".join(lines)


def short_member(member: str) -> str:
    """Whom a grant is for, without project and domain."""
    kind, _, name = member.partition(":")
    name = re.sub(r"\.iam\.gserviceaccount\.com$", "", name)
    if name.startswith("service-number-of-"):
        return f"Google's agent {name.partition('@')[2]}"
    if name.startswith("sink-of-"):
        return "the sink"
    return {"projectOwner": "owners of the project"}.get(kind, name.partition("@")[0])


if __name__ == "__main__":
    print("\n\n".join(tables()))  # noqa: T201
