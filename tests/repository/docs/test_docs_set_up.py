import json
import re
import shlex
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pygohcl
import pytest

from cli.look.status import list_contacts
from responders.data.repair.affected_users import MAX_DOCUMENTS_READ
from shared.core import topics
from shared.domain.notices.outbox import GIVE_UP_AFTER
from shared.domain.policy.channels import Addressees, Audience, ChannelKind, IncidentStage
from shared.domain.presentation.notice_templates import TEMPLATE_NAMES
from shared.domain.signals.registry import SIGNALS
from shared.policy_files import loader
from tests.support.cli.documented_commands import (
    ASKED_OF_GITHUB,
    MODULE,
    OPERATE,
    PAGES,
    ROOT,
    SET_UP,
    TERRAFORM,
)
from tests.support.runtime.world import POLICIES
from tests.terraform.conftest import configuration


@pytest.mark.parametrize("line", TERRAFORM)
def test_each_terraform_line_is_about_what_there_is(line: str) -> None:
    """Its folder is a module, its verb one of Terraform's, each address a resource of ours."""
    words = shlex.split(line)[1:]
    folder = next((word.partition("=")[2] for word in words if word.startswith("-chdir=")), "")
    verb = next(word for word in words if not word.startswith("-"))
    addresses = re.findall(r"module\.rollback\.(\w+)\.(\w+)", line)

    assert not folder or [*(ROOT / folder).glob("*.tf")]
    assert verb in ("init", "validate", "test", "plan", "apply", "state", "destroy")
    assert [one for one in addresses if f'resource "{one[0]}" "{one[1]}"' not in MODULE] == []


def test_each_import_is_into_a_resource_of_ours() -> None:
    """The blocks that people copy name what the module has."""
    pages = [OPERATE, (ROOT / "terraform" / "README.md").read_text()]
    into = [found for page in pages for found in re.findall(r"to = module\.rollback\.(\w+)\.(\w+)", page)]

    assert len(into) == 3
    assert [one for one in into if f'resource "{one[0]}" "{one[1]}"' not in MODULE] == []


def test_what_is_set_by_a_name_has_that_name() -> None:
    """Every name on the page is a variable, a check or an argument there is."""
    variables = set(re.findall(r'^(?:variable|check) "(\w+)"', MODULE, re.M))
    elsewhere = {
        *SIGNALS,
        *topics.ENTRY_POINTS,
        *("at_most", "on_call", "per_second", "sign_in", "unanswered_after", "updated_field"),  # of a policy
        *IncidentStage,
        *ChannelKind,
        *("bypass_actors", "deletion_protection"),  # of a ruleset, of a secret
    }

    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", OPERATE))

    assert "pager_channels" in named
    assert named - variables - elsewhere == set()


FLAGS = {
    "auth application-default login": set[str](),
    "auth application-default set-quota-project": set[str](),
    "auth login": set[str](),
    "billing projects link": {"--billing-account"},
    "firestore databases delete": {"--database", "--project"},
    "firestore databases update": {*("--database", "--enable-pitr", "--no-delete-protection", "--project")},
    "iam service-accounts add-iam-policy-binding": {"--member", "--project", "--role"},
    "iam service-accounts create": {"--project"},
    "iam service-accounts disable": {"--project"},
    "iam service-accounts enable": {"--project"},
    "iam workload-identity-pools create": {"--location", "--project"},
    "iam workload-identity-pools providers create-oidc": {
        *("--attribute-condition", "--attribute-mapping", "--issuer-uri"),
        *("--location", "--project", "--workload-identity-pool"),
    },
    "projects get-iam-policy": {"--filter", "--flatten", "--format"},
    "pubsub topics detach-subscription": {"--project"},
    "secrets add-iam-policy-binding": {"--member", "--project", "--role"},
    "secrets create": {"--data-file", "--project"},
    "secrets delete": {"--project"},
    "secrets versions add": {"--data-file", "--project"},
    "services api-keys create": {"--api-target", "--display-name", "--key-id", "--project"},
    "services api-keys delete": {"--project"},
    "services enable": {"--project"},
    "storage buckets create": {
        *("--location", "--project"),
        *("--public-access-prevention", "--uniform-bucket-level-access"),
    },
    "storage buckets get-iam-policy": {"--project"},
    "storage buckets update": {"--project", "--versioning"},
    "storage rm": {"--project", "--recursive"},
}
"""What gcloud is asked for, with the flags of its reference (docs.cloud.google.com/sdk/gcloud
/reference: billing, services, firestore) or of scripts that are in use; both read 2026-11."""
PROJECTS = ("cvplus", "OPERATIONS", "APPLICATION")


@pytest.mark.parametrize("line", SET_UP)
def test_each_set_up_line_names_what_it_is_about(line: str) -> None:
    """A verb of gcloud's with flags that it has, a project, a database of ours or its default."""
    _, *words = shlex.split(line)
    said = " ".join(words)
    verb = max((one for one in FLAGS if said.startswith(one)), key=len, default="")
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    options = dict(word.split("=", 1) for word in words if "=" in word)
    named = {options.get("--project"), *words} & {*PROJECTS}

    assert verb
    assert flags <= FLAGS[verb]
    assert named or verb in ("auth login", "auth application-default login")
    assert options.get("--database", "rollback") in ("rollback", "(default)")


@pytest.mark.parametrize("line", ASKED_OF_GITHUB)
def test_what_github_is_asked_is_a_file_of_ours(line: str) -> None:
    """A ruleset is made of the ruleset."""
    words = shlex.split(line)

    assert words[2:4] == ["--method", "POST"]
    assert re.fullmatch(r"repos/[a-z]+/[a-z]+/rulesets", words[4])
    assert json.loads((ROOT / words[words.index("--input") + 1]).read_text())["rules"]


HCL = [
    block for page in PAGES for block in re.findall(r"```hcl\n(.*?)```", page.read_text(), flags=re.DOTALL)
]


@pytest.mark.parametrize("block", HCL)
def test_each_piece_of_terraform_is_terraform(block: str) -> None:
    """Terraform's own parser reads it, and there is more in it than comments."""
    assert pygohcl.loads(block)


def test_the_policy_takes_the_role_on_the_page() -> None:
    """In place of its own channels, contacts, roles and on-call; the output is that of its own."""
    [block, *_] = re.findall(r"```yaml\n(.*?)```", OPERATE, flags=re.DOTALL)
    text = (POLICIES / "cvplus.yaml").read_text()
    own = re.search(r"\nchannels:\n(.|\n)*", text)
    shipped = loader.load_policy(POLICIES / "cvplus.yaml")

    assert own is not None
    policy = loader.parse_policy(text.replace(own[0], f"\n{block}"), "cvplus.yaml")
    assert policy.roles["emergency-lead"] == shipped.roles["emergency-lead"]
    assert policy.on_call == shipped.on_call[:1]
    shown = [f"{when}: {who}, by {', '.join(channels)}" for when, who, channels in list_contacts(shipped)]
    assert all(f"\n{line}\n" in OPERATE for line in (shown[0], *shown[-3:]))
    rows = "".join(re.findall(r"^\| `\w+`.*? \|", OPERATE, re.M))
    assert {*IncidentStage} <= {*re.findall(r"`(\w+)`", rows)}


def test_the_policy_takes_the_channel_on_the_page() -> None:
    """In place of its own, with a limit that the page calls possible."""
    [_, block, _, _] = re.findall(r"```yaml\n(.*?)```", OPERATE, flags=re.DOTALL)
    text = (POLICIES / "cvplus.yaml").read_text()
    own = re.search(r"\nchannels:\n(.|\n)*", text)

    assert own is not None
    [channel] = loader.parse_policy(text.replace(own[0], f"\n{block}"), "cvplus.yaml").channels
    schema = json.loads((POLICIES / "policy.schema.json").read_text())
    most = schema["$defs"]["Addressees"]["properties"]["at_most"]["maximum"]
    assert channel.users is not None
    assert channel.users.at_most <= most
    assert f"notified, {most:,} at the very most" in OPERATE


def test_the_policy_takes_the_channels_of_mail_on_the_page() -> None:
    """With the cap, the lifetime of a question and the names of texts that the page says."""
    [_, _, block, _] = re.findall(r"```yaml\n(.*?)```", OPERATE, flags=re.DOTALL)
    text = (POLICIES / "cvplus.yaml").read_text()
    own = re.search(r"\nchannels:\n(.|\n)*", text)

    assert own is not None
    mail, texts = loader.parse_policy(text.replace(own[0], f"\n{dedent(block)}"), "cvplus.yaml").channels
    assert mail.users is not None
    assert mail.users.languages == ("en", "de")
    assert texts.users is not None
    assert texts.users.consent == mail.users.consent
    assert f"`at_most` is {Addressees('users').at_most:,} where it is absent" in OPERATE
    assert timedelta(hours=6) == GIVE_UP_AFTER
    assert "A question expires after six hours" in OPERATE
    assert {"users", "planned", "all-clear", "concerned"} <= {*TEMPLATE_NAMES}


def test_the_policy_takes_the_channel_for_those_concerned() -> None:
    """As it stands on the page about data."""
    page = (ROOT / "docs" / "data.md").read_text()
    [block] = re.findall(r"```yaml\n(- name: concerned\n.*?)```", page, flags=re.DOTALL)
    text = (POLICIES / "cvplus.yaml").read_text()
    own = re.search(r"\nchannels:\n(.|\n)*", text)

    assert own is not None
    [channel] = loader.parse_policy(text.replace(own[0], f"\nchannels:\n{block}"), "x").channels
    assert channel.audience is Audience.CONCERNED
    assert f"the {MAX_DOCUMENTS_READ:,} that are read" in page


def test_the_backups_on_the_page_are_in_buckets_that_there_are(tmp_path: Path) -> None:
    """The policy takes its block, and Terraform makes what it names."""
    [*_, block] = re.findall(r"```yaml\n(.*?)```", OPERATE, flags=re.DOTALL)
    policy = tmp_path / "cvplus.yaml"
    text = (POLICIES / "cvplus.yaml").read_text()
    policy.write_text(re.sub(r"\nbackups:\n(  .*\n)+", "\n", text) + block)

    rules = loader.load_policy(policy).backups

    made = configuration("one-project").outputs["rollback"]["buckets"]
    assert (rules.bucket, rules.second) == (made["exports-cvplus"], made["exports-cvplus-second"])
    assert rules.native
    assert rules.copies is not None


def test_the_second_stop_is_what_terraform_tells() -> None:
    """Its two lines are the output emergency_stop, and each is lifted by a line of the page."""
    stop = configuration("minimal").outputs["rollback"]["emergency_stop"]

    assert [line for line in SET_UP if line in stop] == stop
    assert stop[1].replace("disable", "enable") in SET_UP
    assert any('push["rollback-work"]' in line for line in TERRAFORM)
