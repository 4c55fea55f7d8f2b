"""Policy files: what is read from them, and how each fault is told."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import policy_file
from shared.audience import Addressees
from shared.errors import BadConfiguration
from shared.policy import Mode, Policy, ScenarioName
from shared.severity import Severity

POLICIES = Path(__file__).parent.parent / "policies"

SMALL = """\
system: shop
project: shop-prod
region: europe-west1
groups:
  books: { functions: [listBooks, getBook], canary: getBook }
  orders: { functions: [payOrder], after: [books] }
signals:
  function_failure_rate: { severity: CRITICAL, scenario: functions, mode: act, threshold: 0.5 }
scenarios: { functions: act }
"""


def faults_of(text: str) -> tuple[str, ...]:
    with pytest.raises(BadConfiguration) as caught:
        policy_file.loads(text, "shop.yaml")
    return caught.value.faults


def test_a_small_policy_is_read_with_the_defaults_of_the_code() -> None:
    """What a file leaves out is what the code has as default."""
    policy = policy_file.loads(SMALL, "shop.yaml")

    assert policy == Policy(
        system=policy.system,
        project="shop-prod",
        region="europe-west1",
        groups=policy.groups,
        signals=policy.signals,
        scenarios={ScenarioName.FUNCTIONS: Mode.ACT},
        fingerprint=hashlib.sha256(SMALL.encode()).hexdigest(),
    )
    assert policy.functions == {"listBooks": "books", "getBook": "books", "payOrder": "orders"}
    assert policy.signals["function_failure_rate"].mode is Mode.ACT


def test_durations_and_modes_are_values() -> None:
    """What is written in words is a timedelta and an enum in the code."""
    policy = policy_file.loads(
        SMALL
        + "gates:\n  cool_down: 1h30m\n  approvals: [database]\n"
        + "  decide_within: { CRITICAL: 30s, HIGH: 2m, MEDIUM: 1h, LOW: 7d }\n"
        + "execution: { write_quota: { per_second: 2 } }\n",
        "shop.yaml",
    )

    assert policy.gates.cool_down == timedelta(minutes=90)
    assert policy.gates.approvals == (ScenarioName.DATABASE,)
    assert policy.gates.decide_within[Severity.LOW] == timedelta(days=7)
    assert policy.execution.write_quota.per_second == 2.0


def test_the_file_is_fingerprinted_as_its_bytes_stand(tmp_path: Path) -> None:
    """The fingerprint is the SHA-256 of the file, so anybody can check it."""
    file = tmp_path / "shop.yaml"
    file.write_bytes("\ufeff".encode() + SMALL.replace("\n", "\r\n").encode())

    assert policy_file.load(file).fingerprint == hashlib.sha256(file.read_bytes()).hexdigest()


CHANGES = {
    "unknown key": ("region:", "regoin:", "shop.yaml:3: unknown key 'regoin'; did you mean 'reg"),
    "missing key": ("region: europe-west1\n", "", "shop.yaml:1: key 'region' is missing"),
    "wrong type": ("[payOrder]", "payOrder", "shop.yaml:6: groups.orders.functions: 'payOrder'"),
    "wrong word": (
        "mode: act",
        "mode: acts",
        "is not one of observe, ask, act; did you mean 'act'",
    ),
    "wrong case": ("CRITICAL", "critical", "shop.yaml:8: signals.function_failure_rate.severity"),
    "unknown signal": (
        "function_failure_rate",
        "function_failures",
        "shop.yaml:8: name 'function_f",
    ),
    "unknown scenario": (
        "{ functions: act }",
        "{ all: act }",
        "shop.yaml:9: name 'all' is not one",
    ),
    "doubled key": (
        "project: shop-prod",
        "system: x",
        "shop.yaml:2: key 'system' stands here again",
    ),
    "system that is no label": (
        "system: shop",
        "system: Shop",
        "shop.yaml:1: system: 'Shop' is not",
    ),
    "two groups": (
        "[payOrder]",
        "[payOrder, getBook]",
        "shop.yaml:6: function 'getBook' stands in",
    ),
    "one service": ("[payOrder]", "[getbook]", "shop.yaml:6: functions 'getbook' and 'getBook' wo"),
    "foreign canary": (
        "canary: getBook",
        "canary: payOrder",
        "shop.yaml:5: canary 'payOrder' is n",
    ),
    "probe in the clear": (
        "signals:",
        'probes: [{ name: a, url: "http://shop.example/" }]\nsignals:',
        "shop.yaml:7: a probe asks by https",
    ),
    "probe of an unknown signal": (
        "signals:",
        'probes: [{ name: a, url: "https://shop.example/", signal: error_rate }]\nsignals:',
        "shop.yaml:7: signal 'error_rate' does not stand under signals",
    ),
    "probe that cannot tell": (
        "threshold: 0.5",
        "threshold: 0.5, duration: 1h }\n"
        'probes: [{ name: a, url: "https://a.example/", signal: function_failure_rate }]\n'
        "targets: {",
        "no probe can tell of function_failure_rate: only the last 30m of a probe are kept",
    ),
    "too many probes": (
        "signals:",
        "probes: ["
        + ", ".join(f'{{ name: p{n}, url: "https://a.example/" }}' for n in range(101))
        + "]\nsignals:",
        "has too many entries: at most 100",
    ),
    "unknown after": (
        "[books]",
        "[bokks]",
        "shop.yaml:6: group 'orders' comes after 'bokks', whic",
    ),
    "after itself": ("[books]", "[orders]", "shop.yaml:6: group 'orders' comes after 'orders'"),
    "cycle": ("canary: getBook", "after: [orders]", "shop.yaml:5: group 'books' comes after 'orde"),
    "empty group": ("[payOrder]", "[]", "shop.yaml:6: groups.orders.functions: a list has too few"),
    "ratio above 1": ("0.5", "1.5", "shop.yaml:8: threshold 1.5 is a ratio"),
    "ratio of 0": ("0.5", "0", "shop.yaml:8: threshold 0 is a ratio"),
    "text threshold": ("0.5", "half", "'half' is not a number"),
    "infinite threshold": ("0.5", ".inf", "'.inf' is not a number"),
    "huge threshold": ("0.5", "9" * 5000, "is not a number"),
    "yes is text": ("0.5", "yes", "'yes' is not a number"),
    "duration in words": ("0.5", "0.5, duration: 5 min", "'5 min' is not a duration above zero"),
    "no duration": ("0.5", "0.5, duration: 0h0s", "'0h0s' is not a duration above zero"),
    "alias": ("[payOrder]", "[&a payOrder, *a]", "shop.yaml:6: alias *a: aliases are refused"),
    "anchor": ("[payOrder]", "&a [payOrder]", "shop.yaml:6: anchor &a: anchors are refused"),
    "tag": ("[payOrder]", "!!set [payOrder]", "shop.yaml:6: tag tag:yaml.org,2002:set: tags are"),
    "key that is no text": ("region:", "? [a]\n:", "shop.yaml:3: a key must be text"),
    "tab": ("  books", "\tbooks", "shop.yaml:5: not YAML: found character that cannot start"),
    "unclosed list": ("[payOrder]", "[payOrder", "not YAML: did not find expected ',' or ']'"),
    "control character": ("shop-prod", "shop\x07", "shop.yaml:2: not YAML: unacceptable character"),
    "second document": ("scenarios:", "---\nscenarios:", "shop.yaml:9: a second document begins"),
    "deep lists": ("[payOrder]", "[" * 20 + "]" * 20, "shop.yaml:6: nested more than 16 deep"),
    "bomb of lists": ("[payOrder]", "[" * 5000, "shop.yaml:6: not YAML: exceeded maximum nesting"),
    "bomb of keys": ("groups:", "? " * 5000, "shop.yaml:4: a key must be text"),
}


@pytest.mark.parametrize(("old", "new", "said"), CHANGES.values(), ids=CHANGES)
def test_a_faulty_file(old: str, new: str, said: str) -> None:
    """Each fault is told with its file, its line and what would be right."""
    faults = faults_of(SMALL.replace(old, new, 1))

    assert any(said in fault for fault in faults), faults


def pushed(
    users: str = "collection: users, tokens: t, at_most: 9",
    *,
    kind: str = "push",
    audience: str = "users",
    declared: str = "{ users: {} }",
    more: str = "per_minute: 9",
) -> str:
    """A channel that looks users up."""
    channel = f"name: a, kind: {kind}, audience: {audience}, users: {{ {users} }}, {more}"
    return f"channels:\n- {{ {channel} }}\ncollections: {declared}"


ADDITIONS = {
    "findings without their signal": (
        "findings: {}",
        "shop.yaml:10: findings are told of by the signal security_breach, which is not declared",
    ),
    "asset in the clear": (
        "assets: {static: [{name: a, first: 'http://a.example', fallback: 'https://b.example'}]}",
        "shop.yaml:10: an origin is asked by https",
    ),
    "asset that falls back on itself": (
        "assets: {static: [{name: a, first: 'https://a.example', fallback: 'https://a.example'}]}",
        "shop.yaml:10: the fallback is the first origin itself",
    ),
    "asset twice": (
        "assets:\n  static:\n"
        "  - { name: a, first: 'https://a.example', fallback: 'https://b.example' }\n"
        "  - { name: a, first: 'https://c.example', fallback: 'https://d.example' }",
        "shop.yaml:13: name 'a' is taken by an earlier entry",
    ),
    "asset without a fallback": (
        "assets: { static: [{ name: a, first: 'https://a.example/' }] }",
        "shop.yaml:10: assets.static.0: key 'fallback' is missing",
    ),
    "made again by nobody": (
        "collections: { cvs: {} }\nassets: { regenerated: [cvs] }",
        "shop.yaml:11: nothing says how 'cvs' is made again",
    ),
    "reference to no collection": (
        "collections: { jobs: { references: { owner: users } } }",
        "shop.yaml:10: 'users' is no collection here",
    ),
    "written by no group": (
        "collections: { jobs: { writers: [gone] } }",
        "shop.yaml:10: 'gone' is no group",
    ),
    "a schema that is none": (
        "collections: { jobs: { schema: { type: objekt } } }",
        "shop.yaml:10: is no JSON Schema",
    ),
    "a schema that would have to be fetched": (
        "collections: { jobs: { schema: { $ref: 'https://a.example/' } } }",
        "shop.yaml:10: is no JSON Schema",
    ),
    "a comparison with nothing": (
        "collections: { jobs: { faulty: [{ name: a, where: [{ field: n, op: '<' }] }] } }",
        "shop.yaml:10: < needs a value",
    ),
    "a presence with a value": (
        "collections: {jobs: {faulty: [{ name: a, where: [{ field: n, op: absent, value: 1 }]}]}}",
        "shop.yaml:10: absent takes no value",
    ),
    "a choice of one": (
        "collections: { jobs: { faulty: [{ name: a, where: [{ field: n, op: in, value: 1 }] }] } }",
        "shop.yaml:10: in needs a list",
    ),
    "a collection by its path": (
        "collections: { users/ada/jobs: {} }",
        "shop.yaml:10: name 'users/ada/jobs' is not a collection's id",
    ),
    "probe of nothing": (
        "probes: [{ name: a }]",
        "shop.yaml:10: a probe has either an address or a sign-in",
    ),
    "probe of both": (
        "probes: [{ name: a, url: 'https://a.example/', sign_in:"
        " { email: a@b.example, password_secret: p, api_key_secret: k } }]",
        "shop.yaml:10: a probe has either an address or a sign-in",
    ),
    "sign-in of a function": (
        "probes: [{ name: a, function: placeOrder, sign_in:"
        " { email: a@b.example, password_secret: p, api_key_secret: k } }]",
        "shop.yaml:10: a sign-in tells of no single function",
    ),
    "sign-in with its password": (
        "probes: [{ name: a, sign_in:"
        " { email: a@b.example, password_secret: 'of ours!', api_key_secret: k } }]",
        "shop.yaml:10: probes.0.sign_in: [removed] with values is not at most 255 letters",
    ),
    "probe of no function": (
        "probes: [{ name: a, url: 'https://a.example/', function: gone }]",
        "shop.yaml:10: function 'gone' is in no group",
    ),
    "doubled probe": (
        "probes:\n- { name: a, url: 'https://a.example' }\n- { name: a, url: 'https://b.example' }",
        "shop.yaml:12: name 'a' is taken",
    ),
    "probe without scheme": (
        "probes: [{ name: a, url: a.example }]",
        "shop.yaml:10: probes.0.url: 'a.example' is not an http or https address",
    ),
    "doubled channel": (
        "channels: [{ name: a, kind: recording }, { name: a, kind: recording }]",
        "shop.yaml:10: name 'a' is taken",
    ),
    "web hook to nowhere": (
        "channels:\n- { name: a, kind: webhook }",
        "shop.yaml:11: a channel of kind webhook needs a url",
    ),
    "recording to somewhere": (
        "channels: [{ name: a, kind: recording, url: 'https://a.example' }]",
        "shop.yaml:10: a channel of kind recording has no url",
    ),
    "chat without a secret": (
        "channels:\n- { name: a, kind: apprise }",
        "shop.yaml:11: a channel of kind apprise needs a secret",
    ),
    "push with a secret": (
        "channels:\n- { name: a, kind: push, target: t, secret: s }",
        "shop.yaml:11: a channel of kind push has no secret",
    ),
    "push to nobody": (
        "channels:\n- { name: a, kind: push }",
        "shop.yaml:11: a channel of kind push names either a target or users",
    ),
    "push to two": (
        pushed(more="target: t"),
        "shop.yaml:11: a channel of kind push names either a target or users",
    ),
    "chat to users": (
        pushed(kind="apprise", more="secret: s"),
        "shop.yaml:11: a channel of kind apprise has no users",
    ),
    "users of no collection": (
        pushed(declared="{}"),
        "shop.yaml:11: 'users' is no collection here",
    ),
    "users in many collections": (
        pushed(declared="{ users: { everywhere: true } }"),
        "shop.yaml:11: 'users' is many collections: users are in one",
    ),
    "users told what the team is told": (
        pushed(audience="team"),
        "shop.yaml:11: what is pushed to users has the audience users or concerned",
    ),
    "users without a limit": (
        pushed("collection: users, tokens: t"),
        'shop.yaml:11: channels.0.users: keys with values "at_most" is a required',
    ),
    "too many users": (
        pushed("collection: users, tokens: t, at_most: 10001"),
        "shop.yaml:11: channels.0.users: keys with values is out of range: at most 10000",
    ),
    "more users than may be read": (
        f"{pushed()}\nintegrity: {{ read_budget: 8 }}",
        "shop.yaml:11: 9 users are more than read_budget, 8",
    ),
    "users by more than equality": (
        pushed("collection: users, tokens: t, at_most: 9, where: { a: [1] }"),
        "shop.yaml:11: channels.0.users: keys with values is not true or false or a number",
    ),
    "those concerned, and whose documents are is not said": (
        pushed(audience="concerned"),
        "shop.yaml:11: nothing says whose documents are (erasure.documents)",
    ),
    "those concerned by a topic": (
        "channels:\n- { name: a, kind: push, target: t, audience: concerned }",
        "shop.yaml:11: those concerned are looked up: users says where",
    ),
    "some of those concerned": (
        pushed("collection: users, tokens: t, at_most: 9, where: { a: 1 }", audience="concerned"),
        "shop.yaml:11: those concerned are told, whatever else holds of them",
    ),
    "page without its id": (
        "channels:\n- { name: a, kind: statuspage, secret: s }",
        "shop.yaml:11: a channel of kind statuspage needs a target",
    ),
    "part of the page with a signal that is none": (
        "status_page: { components: [{ name: Shop, signals: [smell] }] }",
        "shop.yaml:10: signal 'smell' does not stand under signals",
    ),
    "two parts of the page with one name": (
        "status_page:\n  components: [{ name: Shop }, { name: Shop }]",
        "shop.yaml:11: name 'Shop' is taken by an earlier entry",
    ),
    "contact on no channel": (
        "contacts: [{ name: anna, channels: [pager] }]",
        "shop.yaml:10: 'pager' is no channel",
    ),
    "doubled contact": (
        "channels: [{ name: a, kind: recording }]\ncontacts:\n- { name: b, channels: [a] }\n"
        "- { name: b, channels: [a] }",
        "shop.yaml:13: name 'b' is taken",
    ),
    "rung for nobody": (
        "on_call: [{ after: 5m }]",
        "shop.yaml:10: names either a contact or a channel",
    ),
    "rung for two": (
        "on_call: [{ after: 5m, contact: a, channel: b }]",
        "shop.yaml:10: names either a contact or a channel",
    ),
    "rung for an unknown one": (
        "on_call:\n- { after: 5m, contact: anna }",
        "shop.yaml:11: 'anna' is no contact",
    ),
    "alias of no group": (
        "group_aliases: { all: [books, magazines] }",
        "shop.yaml:10: alias 'all': 'magazines' is no group",
    ),
    "alias named as a group": (
        "group_aliases: { books: [orders] }",
        "shop.yaml:10: alias 'books' is the name of a group",
    ),
    "all sign-ins may fail": (
        "verification: { sign-in: { sign_in_failures: 1 } }",
        "shop.yaml:10: verification.sign-in.sign_in_failures:",
    ),
    "check of no probe": (
        "verification: { payment: { probes: [gone] } }",
        "shop.yaml:10: check 'payment': 'gone' is no probe",
    ),
    "check of no group": (
        "verification: { payment: { groups: [gone] } }",
        "shop.yaml:10: check 'payment': 'gone' is no group",
    ),
    "check of nothing": (
        "verification: { payment: {} }",
        "shop.yaml:10: check 'payment' names neither a probe nor a group",
    ),
    "copy of nothing": (
        "backups: { second: copies }",
        "shop.yaml:10: there is nothing to copy: no bucket is exported to",
    ),
    "copy in the same bucket": (
        "backups: { bucket: exports, second: exports }",
        "shop.yaml:10: the copy must lie in another bucket",
    ),
    "slots that drift": (
        "backups: { bucket: exports, every: 7h }",
        "shop.yaml:10: a day is not a whole number of these, of an hour at least",
    ),
    "slots that overlap": (
        "backups: { bucket: exports, every: 59m }",
        "shop.yaml:10: a day is not a whole number of these, of an hour at least",
    ),
    "principal twice": (
        "identity: { principals: [{ email: a@b.c, commands: [pause] },"
        " { email: a@b.c, commands: [ack] }] }",
        "shop.yaml:10: principal 'a@b.c' is listed by an earlier entry",
    ),
    "principal of no group": (
        "identity: { principals: [{ email: a@b.c, commands: [pause], groups: [gone] }] }",
        "shop.yaml:10: principal 'a@b.c': 'gone' is no group",
    ),
    "principal without an address": (
        "identity: { principals: [{ email: somebody, commands: [pause] }] }",
        "shop.yaml:10: identity.principals.0.email: 'somebody' is not an e-mail address",
    ),
    "principal of an unknown command": (
        "identity: { principals: [{ email: a@b.c, commands: [puase] }] }",
        "shop.yaml:10: identity.principals.0.commands.0: 'puase' is not one of",
    ),
    "role of an unknown command": (
        "identity: { roles: { explode: admin } }",
        "shop.yaml:10: name 'explode' is not one of",
    ),
    "unknown role": (
        "identity: { roles: { pause: boss } }",
        "shop.yaml:10: identity.roles.pause: 'boss' is not one of viewer, responder,",
    ),
    "empty duration": (
        "gates: { cool_down: }",
        "shop.yaml:10: gates.cool_down: an empty value is not text",
    ),
    "negative count": (
        "gates: { blast_radius: -1 }",
        "shop.yaml:10: gates.blast_radius: -1 is out of range: at least 0",
    ),
    "severity left out": (
        "targets: { by_severity: { CRITICAL: 5m } }",
        "shop.yaml:10: targets.by_severity: key 'HIGH' is missing",
    ),
    "fingerprint of one's own": ("fingerprint: abc", "shop.yaml:10: unknown key 'fingerprint'"),
}


@pytest.mark.parametrize(("more", "said"), ADDITIONS.values(), ids=ADDITIONS)
def test_a_faulty_addition(more: str, said: str) -> None:
    """Each fault is told with its file, its line and what would be right."""
    faults = faults_of(SMALL + more)

    assert any(fault.startswith(said) for fault in faults), faults


def test_a_channel_that_looks_users_up() -> None:
    """All that is said of them is known; what is not said has its default."""
    more = "{ kind: push, audience: users, name: a, users: { collection: users, tokens: t.ids, "
    text = f"{SMALL}collections: {{ users: {{}} }}\nchannels:\n- {more}at_most: 9 }} }}\n"

    [channel] = policy_file.loads(text, "shop.yaml").channels

    assert channel.users == Addressees("users", "t.ids", 9)


def test_every_fault_of_a_file_is_listed_in_the_order_of_its_lines() -> None:
    """Who mends a file learns of all faults at once: of form, of shape, and of names."""
    faults = faults_of(
        SMALL.replace("shop-prod", "x")
        .replace("region", "regoin")
        .replace("canary: getBook", "canary: gone")
        .replace("[payOrder]", "&a [payOrder]")
        .replace("0.5", "50")
    )

    assert [fault.split(": ", 1)[0] for fault in faults] == [
        "shop.yaml:1",  # region is missing
        "shop.yaml:2",
        "shop.yaml:3",
        "shop.yaml:5",
        "shop.yaml:6",
        "shop.yaml:8",
    ]


def test_one_alert_policy_under_two_signals() -> None:
    """An alert policy without labels speaks for one signal."""
    error_rate = "{ severity: LOW, scenario: none, mode: observe, alert_policies: ['7'] }"
    text = SMALL.replace("0.5 }", f"0.5, alert_policies: ['7'] }}\n  error_rate: {error_rate}")

    assert faults_of(text) == (
        "shop.yaml:9: alert policy 7 is claimed by signal 'function_failure_rate' already",
    )


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "~"])
def test_an_empty_file(text: str) -> None:
    """An empty file protects nothing, and says so."""
    assert faults_of(text) == ("shop.yaml:1: the file is empty",)


@pytest.mark.parametrize("text", ["shop", "- shop", "3", "[[shop]]"])
def test_a_file_that_is_no_policy(text: str) -> None:
    """What is not a mapping is refused as a whole."""
    assert "is not keys with values" in faults_of(text)[0]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """A file over 1 MiB is refused before it is parsed."""
    file = tmp_path / "shop.yaml"
    file.write_text(SMALL + "#" + "é" * policy_file.MAX_BYTES)

    with pytest.raises(BadConfiguration, match="larger than 1048576 bytes"):
        policy_file.load(file)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    """The line of the first strange byte is told."""
    file = tmp_path / "shop.yaml"
    file.write_bytes(b"system: shop\nproject: \xff\n")

    with pytest.raises(BadConfiguration, match=r"shop\.yaml:2: not UTF-8"):
        policy_file.load(file)


def test_a_text_with_a_lone_surrogate() -> None:
    """Text that no file could hold is refused like any other."""
    assert faults_of(SMALL.replace("shop-prod", "shop\ud800"))[0].startswith("shop.yaml:1: not UTF")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is a fault of the configuration."""
    with pytest.raises(BadConfiguration, match="cannot be read: No such file"):
        policy_file.load(tmp_path / "gone.yaml")


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    """Every system of the folder is known by its name; other files are left alone."""
    (tmp_path / "shop.yaml").write_text(SMALL)
    other = SMALL.replace("project: shop", "project: tea").replace("system: shop", "system: tea")
    (tmp_path / "tea.yml").write_text(other)
    (tmp_path / "README.md").write_text("not a policy")

    assert sorted(policy_file.load_all(tmp_path)) == ["shop", "tea"]


def test_two_files_that_claim_the_same(tmp_path: Path) -> None:
    """A system has one policy and an alert policy one owner, over all files."""
    text = SMALL.replace("0.5 }", "0.5, alert_policies: ['7'] }")
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text + "extra: 1\n")

    with pytest.raises(BadConfiguration) as caught:
        policy_file.load_all(tmp_path)

    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    assert caught.value.faults == (
        f"{b}:10: unknown key 'extra'",
        f"{b}:1: system 'shop' has a policy: {a}",
        f"{b}:8: alert policy 7 is claimed by {a}",
    )


def test_a_folder_without_policies(tmp_path: Path) -> None:
    """No policy at all is no configuration."""
    with pytest.raises(BadConfiguration, match="no policy file"):
        policy_file.load_all(tmp_path)


def test_the_real_policies() -> None:
    """CVPlus is protected whole: its 151 functions, its signals, its verification."""
    policies = policy_file.load_all(POLICIES)
    cvplus, bookshop = policies["cvplus"], policies["bookshop"]

    assert len(cvplus.functions) == 151
    assert len(cvplus.groups) == 14
    assert len(cvplus.signals) == 14
    assert cvplus.groups_called("core-api") == ("core", "admin")
    assert cvplus.groups_called("payments") == ("payments",)
    assert cvplus.groups_called("nobody") == ()
    assert {probe.function for probe in cvplus.probes if probe.function} == {
        *("processCV", "generateCV", "getCVStatus", "sessionHealthCheck"),
        *("podcastStatus", "checkFeatureAccess", "healthCheck"),
    }
    assert len(bookshop.functions) == 8
    assert bookshop.scenarios[ScenarioName.FUNCTIONS] is Mode.ACT


def test_the_channels_that_are_written_out_for_later() -> None:
    """Each is a channel as it stands, once its sign is taken away."""
    text = (POLICIES / "cvplus.yaml").read_text()

    every = policy_file.loads(text.replace("  # - {", "  - {"), "cvplus.yaml").channels

    assert len(every) > len(policy_file.load(POLICIES / "cvplus.yaml").channels)
    assert any(one.users for one in every)


def test_data_never_moves_without_a_person() -> None:
    """Law 10: in every policy of ours the database scenario asks at most."""
    for policy in policy_file.load_all(POLICIES).values():
        assert policy.scenarios.get(ScenarioName.DATABASE, Mode.OBSERVE) < Mode.ACT


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Whatever a file holds, it is a policy or a list of faults."""
    with pytest.raises(BadConfiguration) as caught:
        policy_file.loads(text, "any.yaml")

    assert caught.value.faults
    assert all(fault.startswith("any.yaml:") for fault in caught.value.faults)


WORDS = st.sampled_from(
    [*SMALL.split(), "\n", "\n  ", " ", "&a", "*a", "!!x", "- ", "? ", "|", "'"]
)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=60), st.integers(0, len(SMALL)), st.integers(0, 40))
def test_any_damage(words: list[str], at: int, length: int) -> None:
    """However a file was damaged, what comes of it is a policy or a list of faults."""
    text = SMALL[:at] + " ".join(words) + SMALL[at + length :]
    try:
        policy = policy_file.loads(text, "any.yaml")
    except BadConfiguration:
        return
    assert policy.fingerprint == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("shares", "fault"),
    [
        ((0.7, 0.3), None),
        ((0.7, 0.4), "the shares of one write quota add up to 1.1"),
        ((0.7, None), "the shares of one write quota add up to 1.7"),
    ],
)
def test_systems_that_share_a_write_quota(
    tmp_path: Path, shares: tuple[float | None, ...], fault: str | None
) -> None:
    """Together they cannot spend more than all of it, and absent means all of it."""
    for name, share in zip("ab", shares, strict=True):
        quota = f"execution: {{ write_quota: {{ share: {share} }} }}\n" if share else ""
        text = SMALL.replace("system: shop", f"system: shop-{name}") + quota
        (tmp_path / f"{name}.yaml").write_text(text)

    if fault is None:
        assert len(policy_file.load_all(tmp_path)) == 2
        return
    with pytest.raises(BadConfiguration) as caught:
        policy_file.load_all(tmp_path)
    [said] = caught.value.faults
    assert said.startswith(f"{tmp_path / 'b.yaml'}:")
    assert fault in said


def test_systems_that_declare_their_one_write_quota_otherwise(tmp_path: Path) -> None:
    """One project and region has one quota: parts of different wholes add up to nothing."""
    for name, burst in (("a", 60), ("b", 50)):
        quota = f"execution: {{ write_quota: {{ share: 0.5, burst: {burst} }} }}\n"
        text = SMALL.replace("system: shop", f"system: shop-{name}") + quota
        (tmp_path / f"{name}.yaml").write_text(text)

    with pytest.raises(BadConfiguration, match="declares the same write quota otherwise"):
        policy_file.load_all(tmp_path)


def test_a_share_that_no_canary_fits_in() -> None:
    """A canary takes two writes at once: barely enough, and barely too little."""
    quota = "execution: {{ write_quota: {{ share: {} }} }}\n"

    enough = policy_file.loads(SMALL + quota.format(0.034), "shop.yaml")
    assert enough.execution.write_quota.ours.burst == 2
    [fault] = faults_of(SMALL + quota.format(0.033))
    assert "a canary takes 2" in fault
