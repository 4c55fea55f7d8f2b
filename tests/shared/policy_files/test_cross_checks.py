"""Policy files: how each fault is told."""

import pytest

from shared.domain.policy.channels import Addressees
from shared.policy_files.loader import parse_policy
from tests.support.decision.minimal_policy import SMALL, policy_faults

CHANGES = {
    "unknown key": ("region:", "regoin:", "shop.yaml:3: unknown key 'regoin'; did you mean 'reg"),
    "missing key": ("region: europe-west1\n", "", "shop.yaml:1: key 'region' is missing"),
    "wrong type": ("[payOrder]", "payOrder", "shop.yaml:6: groups.orders.functions: 'payOrder'"),
    "wrong word": ("mode: act", "mode: acts", "is not one of observe, ask, act; did you mean 'act'"),
    "wrong case": ("CRITICAL", "critical", "shop.yaml:8: signals.function_failure_rate.severity"),
    "unknown signal": ("function_failure_rate", "function_failures", "shop.yaml:8: name 'function_f"),
    "unknown scenario": ("{ functions: act }", "{ all: act }", "shop.yaml:9: name 'all' is not one"),
    "doubled key": ("project: shop-prod", "system: x", "shop.yaml:2: key 'system' stands here again"),
    "system that is no label": ("system: shop", "system: Shop", "shop.yaml:1: system: 'Shop' is not"),
    "two groups": ("[payOrder]", "[payOrder, getBook]", "shop.yaml:6: function 'getBook' stands in"),
    "one service": ("[payOrder]", "[getbook]", "shop.yaml:6: functions 'getbook' and 'getBook' wo"),
    "foreign canary": ("canary: getBook", "canary: payOrder", "shop.yaml:5: canary 'payOrder' is n"),
    "pattern of two groups": (
        "[payOrder]",
        '["get*"] }\n  others: { functions: ["get*"]',
        "shop.yaml:7: pattern 'get*' stands in group 'orders' already",
    ),
    "codebase of two groups": (
        "functions: [payOrder]",
        "codebases: [pay] }\n  others: { codebases: [pay]",
        "shop.yaml:7: codebase 'pay' stands in group 'orders' already",
    ),
    "canary that no pattern has": ("[listBooks, getBook]", '["list*"]', "shop.yaml:5: canary 'getBook' is n"),
    "pattern with a bracket": (
        "[payOrder]",
        '["pay[AB]"]',
        "shop.yaml:6: groups.orders.functions.0: 'pay[AB]' is not a function's name, or a pattern",
    ),
    "group of nothing": (
        "{ functions: [payOrder], after: [books] }",
        "{ keep_warm: 1 }",
        "shop.yaml:6: groups.orders: key 'functions' is missing",
    ),
    "probe in the clear": (
        "signals:",
        'probes: [{ name: a, url: "http://shop.example/" }]\nsignals:',
        "shop.yaml:7: a probe asks by https",
    ),
    "probe that is never slow": (
        "signals:",
        'probes: [{ name: a, url: "https://shop.example/", slow_after: 10s }]\nsignals:',
        "shop.yaml:7: slow_after must be shorter than the timeout of the probe",
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
    "unknown after": ("[books]", "[bokks]", "shop.yaml:6: group 'orders' comes after 'bokks', whic"),
    "after itself": ("[books]", "[orders]", "shop.yaml:6: group 'orders' comes after itself"),
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
    "tab": ("  books", "\tbooks", "shop.yaml:5: not YAML: a tab indents this line; use spaces"),
    "unclosed list": ("[payOrder]", "[payOrder", "shop.yaml:6: not YAML: this flow sequence is not closed"),
    "unclosed quotes": ("shop-prod", "'shop-prod", "shop.yaml:2: not YAML: this quoted scalar is not closed"),
    "text in quotes for a number": (
        "0.5",
        "'0.5'",
        "'0.5' is text in quotes, not a number: write it without",
    ),
    "control character": ("shop-prod", "shop\x07", "shop.yaml:2: not YAML: unacceptable character"),
    "second document": ("scenarios:", "---\nscenarios:", "shop.yaml:9: a second document begins"),
    "deep lists": ("[payOrder]", "[" * 20 + "]" * 20, "shop.yaml:6: nested more than 16 deep"),
    "bomb of lists": ("[payOrder]", "[" * 5000, "shop.yaml:6: not YAML: exceeded maximum nesting"),
    "bomb of keys": ("groups:", "? " * 5000, "shop.yaml:4: a key must be text"),
}


@pytest.mark.parametrize(("old", "new", "said"), CHANGES.values(), ids=CHANGES)
def test_a_faulty_file(old: str, new: str, said: str) -> None:
    """Each fault is told with its file, its line and what would be right."""
    faults = policy_faults(SMALL.replace(old, new, 1))

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
    "written by no group": ("collections: { jobs: { writers: [gone] } }", "shop.yaml:10: 'gone' is no group"),
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
    "a time of writes without an index": (
        "collections: { jobs: { everywhere: true, updated_field: updatedAt } }",
        "shop.yaml:10: Firestore has no such index by itself",
    ),
    "a presence with a value": (
        "collections: {jobs: {faulty: [{ name: a, where: [{ field: n, op: absent, value: 1 }]}]}}",
        "shop.yaml:10: absent takes no value",
    ),
    "a choice of one": (
        "collections: { jobs: { faulty: [{ name: a, where: [{ field: n, op: in, value: 1 }] }] } }",
        "shop.yaml:10: in needs a list",
    ),
    "a repair that starts what it likes": (
        "collections: { jobs: { on_repair: some } }",
        "shop.yaml:10: collections.jobs.on_repair: 'some' is not one of refuse, fire",
    ),
    "a collection by its path": (
        "collections: { users/ada/jobs: {} }",
        "shop.yaml:10: name 'users/ada/jobs' is not a collection's id",
    ),
    "probe of nothing": ("probes: [{ name: a }]", "shop.yaml:10: a probe has an address, a sign-in, or both"),
    "sign-in of a function": (
        "probes: [{ name: a, function: placeOrder, sign_in:"
        " { email: a@b.example, password_secret: p, api_key_secret: k } }]",
        "shop.yaml:10: a sign-in without an address has no function",
    ),
    "sign-in with a body": (
        "probes: [{ name: a, method: POST, body: {}, expect: { text: ok }, sign_in:"
        " { email: a@b.example, password_secret: p, api_key_secret: k } }]",
        "shop.yaml:10: a sign-in without an address has no expect",
    ),
    "probe by an unknown method": (
        "probes: [{ name: a, url: 'https://a.example/', method: PUT }]",
        "shop.yaml:10: probes.0.method: 'PUT' is not one of GET, POST",
    ),
    "body of a GET": (
        "probes: [{ name: a, url: 'https://a.example/', body: { data: {} } }]",
        "shop.yaml:10: only a POST has a body",
    ),
    "secret in a header": (
        "probes: [{ name: a, url: 'https://a.example/', headers: { authorization: Bearer x } }]",
        "shop.yaml:10: a probe may not declare the header authorization; delete it",
    ),
    "header of two lines": (
        'probes: [{ name: a, url: "https://a.example/", headers: { X-Test: "a\\nb" } }]',
        "shop.yaml:10: probes.0.headers.X-Test:",
    ),
    "expected value at no path": (
        "probes: [{ name: a, url: 'https://a.example/', expect: { json: { result..id: 1 } } }]",
        "shop.yaml:10: name 'result..id' is not a path into a JSON answer",
    ),
    "expected status that is none": (
        "probes: [{ name: a, url: 'https://a.example/', expect: { status: 99 } }]",
        "shop.yaml:10: probes.0.expect.status:",
    ),
    "sign-in with its password": (
        "probes: [{ name: a, sign_in:"
        " { email: a@b.example, password_secret: 'of ours!', api_key_secret: k } }]",
        "shop.yaml:10: probes.0.sign_in.password_secret: 'of ours!' is not at most 255 letters",
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
    "web hook to users": (
        pushed(
            "collection: users, address: mail, consent: news", kind="webhook", more="url: 'https://a.example'"
        ),
        "shop.yaml:11: a channel of kind webhook has no users",
    ),
    "mail to devices": (
        pushed(kind="apprise", more="secret: s"),
        "shop.yaml:11: channels.0.users: key 'address' is missing",
    ),
    "push to mail addresses": (
        pushed("collection: users, address: mail, consent: news"),
        "shop.yaml:11: channels.0.users: key 'tokens' is missing",
    ),
    "mail without consent": (
        pushed("collection: users, address: mail", kind="trigger_email", more="target: mail"),
        "shop.yaml:11: channels.0.users: key 'consent' is missing beside 'address'",
    ),
    "mail into no collection": (
        pushed("collection: users, address: mail, consent: news", kind="trigger_email"),
        "shop.yaml:11: a channel of kind trigger_email needs a target",
    ),
    "mail in a language that is none": (
        pushed("collection: users, tokens: t, languages: [DE]"),
        "shop.yaml:11: channels.0.users.languages.0: 'DE' is not a language such as de or pt-br",
    ),
    "users of no collection": (pushed(declared="{}"), "shop.yaml:11: 'users' is no collection here"),
    "users in many collections": (
        pushed(declared="{ users: { everywhere: true } }"),
        "shop.yaml:11: 'users' is many collections: users are in one",
    ),
    "users told what the team is told": (
        pushed(audience="team"),
        "shop.yaml:11: channels.0.audience: 'team' is not one of users, concerned",
    ),
    "too many users": (
        pushed("collection: users, tokens: t, at_most: 10001"),
        "shop.yaml:11: channels.0.users.at_most: 10001 is out of range: at most 10000",
    ),
    "more users than may be read": (
        f"{pushed()}\nintegrity: {{ read_budget: 8 }}",
        "shop.yaml:11: 9 users are more than read_budget, 8",
    ),
    "users by more than equality": (
        pushed("collection: users, tokens: t, at_most: 9, where: { a: [1] }"),
        "shop.yaml:11: channels.0.users.where.a: a list is not true or false or a number",
    ),
    "those concerned, and whose documents are is not said": (
        pushed(audience="concerned"),
        "shop.yaml:11: nothing says whose documents are (erasure.documents)",
    ),
    "those concerned by a topic": (
        "channels:\n- { name: a, kind: push, target: t, audience: concerned }",
        "shop.yaml:11: channels.0: key 'users' is missing",
    ),
    "some of those concerned": (
        pushed("collection: users, tokens: t, at_most: 9, where: { a: 1 }", audience="concerned"),
        "shop.yaml:11: channels.0.users.where: keys with values has too many entries: at most 0",
    ),
    "page without its id": (
        "channels:\n- { name: a, kind: statuspage, secret: s }",
        "shop.yaml:11: a channel of kind statuspage needs a target",
    ),
    "part of the page with a signal that is none": (
        "status_page: { components: [{ name: Shop, signals: [smell] }] }",
        "shop.yaml:10: 'smell' is no signal",
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
        "shop.yaml:10: must name one of these: a role, a contact, a channel",
    ),
    "rung for two": (
        "on_call: [{ after: 5m, contact: a, channel: b }]",
        "shop.yaml:10: must name one of these: a role, a contact, a channel",
    ),
    "rung for an unknown one": (
        "on_call:\n- { after: 5m, contact: anna }",
        "shop.yaml:11: 'anna' is no contact",
    ),
    "rung for an unknown role": ("on_call:\n- { after: 5m, role: lead }", "shop.yaml:11: 'lead' is no role"),
    "role of an unknown contact": (
        "roles: { lead: { contacts: [ada] } }",
        "shop.yaml:10: 'ada' is no contact",
    ),
    "role on a channel of nobody": (
        "channels: [{ name: a, kind: recording }, { name: b, kind: recording }]\n"
        "contacts: [{ name: ada, channels: [a] }]\n"
        "roles:\n  lead:\n    contacts: [ada]\n"
        "    notify: [{ stages: [detected], channels: [b] }]",
        "shop.yaml:15: 'b' is no channel of its contacts",
    ),
    "role at no stage": (
        "roles: { lead: { contacts: [ada], notify: [{ stages: [begin] }] } }",
        "shop.yaml:10: roles.lead.notify.0.stages.0:",
    ),
    "alias of no group": (
        "group_aliases: { all: [books, magazines] }",
        "shop.yaml:10: alias 'all': 'magazines' is no group",
    ),
    "alias named as a group": (
        "group_aliases: { books: [orders] }",
        "shop.yaml:10: alias 'books' is the name of a group",
    ),
    "critical path of nothing": (
        "breadth: { critical_path: [books, payOrder, magazines] }",
        "shop.yaml:10: 'magazines' is no function, group or alias",
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
        "shop.yaml:10: check 'payment' names no scenario, probe, group or collection",
    ),
    "check of no collection": (
        "verification: { payment: { collections: [gone] } }",
        "shop.yaml:10: check 'payment': 'gone' is no collection",
    ),
    "check of documents and of groups": (
        "verification: { payment: { collections: [jobs], groups: [orders] } }\ncollections: { jobs: {} }",
        "shop.yaml:10: check 'payment' is about documents, or about probes and groups",
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
        "identity: { principals: [{ email: a@b.c, commands: [pause] }, { email: a@b.c, commands: [ack] }] }",
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
        "shop.yaml:10: gates.cool_down: an empty value is not a duration",
    ),
    "duration as a number": (
        "gates: { cool_down: 60 }",
        "shop.yaml:10: gates.cool_down: 60 is not a duration above zero, such as 30s",
    ),
    "currency in small letters": (
        "outage: { per_minute: 3, currency: eur }",
        "shop.yaml:10: outage.currency: 'eur' is not a currency of three capital letters",
    ),
    "address of the console": (
        "console_url: http://x.example",
        "shop.yaml:10: console_url: 'http://x.example' is not an https address",
    ),
    "reference to a list": (
        "collections: { a: { references: { b: [a] } } }",
        "shop.yaml:10: collections.a.references.b: a list is not a collection",
    ),
    "list for a kind": (
        "channels: [{ name: a, url: 'https://x.example', kind: [webhook] }]",
        "shop.yaml:10: channels.0.kind: a list is not one of recording",
    ),
    "two faults in one section": (
        "erasure: { documents: [kunden], collection: a }",
        "shop.yaml:10: erasure: key 'erased_at' is missing beside 'collection'",
    ),
    "negative count": (
        "gates: { drills_before_ask: -1 }",
        "shop.yaml:10: gates.drills_before_ask: -1 is out of range: at least 0",
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
    faults = policy_faults(SMALL + more)

    assert any(fault.startswith(said) for fault in faults), faults


def test_a_channel_that_looks_users_up() -> None:
    """All that is said of them is known; what is not said has its default."""
    more = "{ kind: push, audience: users, name: a, users: { collection: users, tokens: t.ids, "
    text = f"{SMALL}collections: {{ users: {{}} }}\nchannels:\n- {more}at_most: 9 }} }}\n"

    [channel] = parse_policy(text, "shop.yaml").channels

    assert channel.users == Addressees("users", "t.ids", 9)


def test_every_fault_of_a_file_is_listed_in_the_order_of_its_lines() -> None:
    """Who mends a file learns of all faults at once: of form, of shape, and of names."""
    faults = policy_faults(
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

    assert policy_faults(text) == (
        "shop.yaml:9: alert policy 7 is claimed by signal 'function_failure_rate' already",
    )


def test_names_that_a_pattern_or_a_codebase_may_have() -> None:
    """A canary, a probe, a component and the critical path may name a function of a pattern."""
    text = SMALL.replace("[listBooks, getBook]", '["get*", "list*"]')
    text = text.replace("[payOrder]", '["pay*"], codebases: [pay]')
    text += """probes: [{ name: pay, function: payOrder, url: "https://a.example/" }]
breadth: { critical_path: [getShelf] }
status_page: { components: [{ name: Books, functions: [listShelves] }] }
"""

    policy = parse_policy(text, "shop.yaml")

    assert policy.groups["orders"].codebases == ("pay",)
    assert policy.functions == {}
