"""Check names and numbers of a policy's plain values; the schema reports values of other shape."""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from shared.core.durations import parse_duration
from shared.domain.data.integrity.validator import compile_schema
from shared.domain.policy.channels import REQUIRED_KEYS
from shared.domain.policy.data_rules import Comparison, IntegrityRules
from shared.domain.policy.execution_limits import WriteQuota
from shared.domain.policy.probes import Probe, ProbeMethod
from shared.domain.policy.signals import BREACH_SIGNAL, Unit
from shared.domain.policy.system_policy import is_pattern, service_of
from shared.domain.signals.probe_history import unobservable_reason
from shared.domain.signals.registry import SIGNALS
from shared.policy_files.yaml_document import Findings, YamlPath, entries_in, list_in, mapping_in, texts_in

RESERVED_HEADERS = frozenset({"accept-encoding", "authorization", "content-length", "cookie", "host"})
"""Headers that the prober controls, or that would hold a secret."""
WRITES_PER_CANARY = 2
"""Its shift, and the rehearsal of it."""
Section = Mapping[str, Any]
"""The keys and values of one mapping of a policy file."""
_VALUELESS = (Comparison.PRESENT, Comparison.ABSENT)


def security_findings(policy: Any) -> Findings:
    """Yield findings that become alerts of a signal that is not declared."""
    if policy.get("findings") is not None and BREACH_SIGNAL not in mapping_in(policy, "signals"):
        yield (("findings",), f"findings are told of by the signal {BREACH_SIGNAL}, which is not declared")


def claimed_alert_policies(policy: Any) -> Iterator[tuple[YamlPath, str]]:
    """Each alert policy id that the file claims, and where."""
    for signal, meaning in mapping_in(policy, "signals").items():
        for place, alert_policy in texts_in(meaning, "alert_policies"):
            yield ("signals", signal, *place), alert_policy


def group_findings(policy: Section) -> Findings:
    """Yield the functions, canaries and orders of groups that contradict each other."""
    yield from _members_in_one_group(policy)
    for name, group in mapping_in(policy, "groups").items():
        canary = group.get("canary") if isinstance(group, dict) else None
        if isinstance(canary, str) and canary not in _Members([group]):
            yield ("groups", name, "canary"), f"canary {canary!r} is not in group {name!r}"
    yield from _order_of_groups(policy)


def _members_in_one_group(policy: Section) -> Findings:
    seen = {}
    for path, group, kind, member in _members(policy):
        service = service_of(member) if kind == "function" else f"{kind} {member}"
        if service not in seen:
            seen[service] = (member, group)
            continue
        first, its_group = seen[service]
        if first == member:
            yield path, f"{kind} {member!r} stands in group {its_group!r} already"
        else:
            yield path, f"functions {member!r} and {first!r} would be one service: {service}"


class _Members:
    """The functions that groups may have, by name or pattern; those of a codebase have any name."""

    def __init__(self, groups: Iterable[Any], names: Iterable[str] = ()) -> None:
        self._patterns = [*names]
        for group in groups:
            self._patterns += (name for _, name in texts_in(group, "functions"))
            self._patterns += ("*" for _ in texts_in(group, "codebases"))

    def __contains__(self, function: object) -> bool:
        return any(fnmatchcase(str(function), pattern) for pattern in self._patterns)


def _order_of_groups(policy: Section) -> Findings:
    groups = mapping_in(policy, "groups")
    after = {name: [other for _, other in texts_in(groups[name], "after")] for name in groups}
    for name, group in groups.items():
        for place, other in texts_in(group, "after"):
            path = ("groups", name, *place)
            if other not in groups:
                yield path, f"group {name!r} comes after {other!r}, which is no group"
            elif name in _groups_before(other, after):
                which = "itself" if other == name else f"{other!r}, which comes after {name!r}"
                yield path, f"group {name!r} comes after {which}"


def _groups_before(name: str, after: Mapping[str, list[str]]) -> set[str]:
    """`name` and all groups that must be back before it."""
    found = set()
    waiting = [name]
    while waiting:
        group = waiting.pop()
        if group not in found:
            found.add(group)
            waiting += after.get(group, ())
    return found


def alias_findings(policy: Section) -> Findings:
    """Yield the aliases that hide a group or name none."""
    groups = mapping_in(policy, "groups")
    aliases = mapping_in(policy, "group_aliases")
    for alias in aliases:
        if alias in groups:
            yield ("group_aliases", alias), f"alias {alias!r} is the name of a group"
        yield from unknown_names(("group_aliases",), aliases, alias, groups, "group", f"alias {alias!r}: ")


def breadth_findings(policy: Section) -> Findings:
    """Yield the names of the critical path that nothing has."""
    groups = mapping_in(policy, "groups")
    known = _Members(groups.values(), (*groups, *mapping_in(policy, "group_aliases")))
    breadth = mapping_in(policy, "breadth")
    yield from unknown_names(("breadth",), breadth, "critical_path", known, "function, group or alias")


def probe_findings(policy: Section) -> Findings:
    """Yield the probes that ask nothing, or tell of nothing."""
    yield from names_once(policy, "probes")
    known = _Members(mapping_in(policy, "groups").values())
    for index, probe in entries_in(policy, "probes"):
        function = probe.get("function")
        if isinstance(function, str) and function not in known:
            yield ("probes", index, "function"), f"function {function!r} is in no group"
        url = probe.get("url")
        if isinstance(url, str) and url.startswith("http://"):
            yield ("probes", index, "url"), "a probe asks by https"
        if probe.get("external") is True and (function or probe.get("signal")):
            yield ("probes", index, "external"), "what is external tells of no function or signal"
        slow_after, timeout = _span(probe, "slow_after"), _span(probe, "timeout") or Probe("").timeout
        if slow_after is not None and slow_after >= timeout:
            yield ("probes", index, "slow_after"), "slow_after must be shorter than the timeout of the probe"
        yield from _request_findings(("probes", index), probe)
    yield from _signals_of_probes(policy)


def _request_findings(path: YamlPath, probe: Section) -> Findings:
    """Yield what one HTTP request, or a sign-in alone, does not have."""
    url = probe.get("url")
    if not url and not isinstance(probe.get("sign_in"), dict):
        yield path, "a probe has an address, a sign-in, or both"
    for key in ("function", "method", "body", "headers", "expect"):
        if probe.get(key) and not url:
            yield (*path, key), f"a sign-in without an address has no {key}"
    if probe.get("body") is not None and probe.get("method") != ProbeMethod.POST:
        yield (*path, "body"), "only a POST has a body"
    for name in mapping_in(probe, "headers"):
        if name.lower() in RESERVED_HEADERS:
            yield (*path, "headers", name), f"a probe may not declare the header {name}; delete it"


def verification_findings(policy: Section) -> Findings:
    """Yield the checks that ask for what is not there, or for two kinds of things."""
    probes, groups = _names(policy, "probes"), mapping_in(policy, "groups")
    collections = mapping_in(policy, "collections")
    for name, check in mapping_in(policy, "verification").items():
        path = ("verification", name)
        yield from unknown_names(path, check, "probes", probes, "probe", f"check {name!r}: ")
        yield from unknown_names(path, check, "groups", groups, "group", f"check {name!r}: ")
        yield from unknown_names(path, check, "collections", collections, "collection", f"check {name!r}: ")
        if isinstance(check, dict) and not any(check.values()):
            yield path, f"check {name!r} names no scenario, probe, group or collection"
        if any(texts_in(check, "collections")) and (*texts_in(check, "probes"), *texts_in(check, "groups")):
            yield path, f"check {name!r} is about documents, or about probes and groups"


def _signals_of_probes(policy: Section) -> Findings:
    """A probe that feeds a signal must be able to tell of it."""
    signals = mapping_in(policy, "signals")
    for index, probe in entries_in(policy, "probes"):
        name = probe.get("signal")
        if not isinstance(name, str):
            continue
        path = ("probes", index, "signal")
        if name not in signals:
            yield path, f"signal {name!r} does not stand under signals"
        elif name in SIGNALS and (whys := _unobservable_conditions(name, signals[name])) and all(whys):
            yield path, f"no probe can tell of {name}: {'; '.join(whys)}"


def _unobservable_conditions(name: str, signal: Any) -> list[str]:
    """Why a probe cannot tell of each condition of a signal, or an empty text where it can."""
    if not isinstance(signal, dict):
        return []
    further = [(one.get("unit"), one) for _, one in entries_in(signal, "also")]
    return [
        unobservable_reason(Unit(unit), _number(one, "threshold"), _span(one, "duration"))
        for unit, one in ((SIGNALS[name].unit, signal), *further)
        if unit in tuple(Unit)
    ]


def channel_findings(policy: Section) -> Findings:
    """Yield the channels that lack what their kind needs, or have more."""
    yield from names_once(policy, "channels")
    for index, channel in entries_in(policy, "channels"):
        kind = str(channel.get("kind"))
        either = {"push": ("target", "users"), "apprise": ("users",)}.get(kind, ())
        for key in ("url", "secret", "target", "users"):
            needs, has = key in REQUIRED_KEYS.get(kind, ()), channel.get(key) is not None
            if needs and not has:
                yield ("channels", index), f"a channel of kind {kind} needs a {key}"
            if has and not needs and kind in REQUIRED_KEYS and key not in either:
                yield ("channels", index, key), f"a channel of kind {kind} has no {key}"
        if kind == "push" and sum(channel.get(key) is not None for key in either) != 1:
            yield ("channels", index), "a channel of kind push names either a target or users"
        if channel.get("users") is not None:
            yield from _addressees(policy, ("channels", index), channel)
        if channel.get("audience") == "concerned" and not mapping_in(policy, "erasure").get("documents"):
            yield ("channels", index), "nothing says whose documents are (erasure.documents)"


def _addressees(policy: Section, path: YamlPath, channel: Section) -> Findings:
    """Users are read where one collection of them is declared."""
    users = mapping_in(channel, "users")
    name, at_most = users.get("collection"), _number(users, "at_most")
    declared = mapping_in(policy, "collections").get(str(name))
    if declared is None:
        yield (*path, "users", "collection"), f"{name!r} is no collection here"
    elif isinstance(declared, dict) and declared.get("everywhere") is True:
        yield (*path, "users", "collection"), f"{name!r} is many collections: users are in one"
    budget = _number(mapping_in(policy, "integrity"), "read_budget") or IntegrityRules().read_budget
    if at_most is not None and at_most > budget:
        yield (*path, "users", "at_most"), f"{at_most} users are more than read_budget, {budget}"


def contact_findings(policy: Section) -> Findings:
    """Yield the contacts that name no channel."""
    yield from names_once(policy, "contacts")
    known = _names(policy, "channels")
    for index, contact in entries_in(policy, "contacts"):
        yield from unknown_names(("contacts", index), contact, "channels", known, "channel")


def role_findings(policy: Section) -> Findings:
    """Yield the contacts that are unknown, and the channels that none of a role's contacts has."""
    known = _names(policy, "contacts")
    for name, role in mapping_in(policy, "roles").items():
        yield from unknown_names(("roles", name), role, "contacts", known, "contact")
        holders = [one for _, one in texts_in(role, "contacts")]  # a name may be no text
        contacts = [one for _, one in entries_in(policy, "contacts") if one.get("name") in holders]
        theirs = {channel for contact in contacts for _, channel in texts_in(contact, "channels")}
        for index, rule in entries_in(role, "notify"):
            kind = "channel of its contacts"
            yield from unknown_names(("roles", name, "notify", index), rule, "channels", theirs, kind)


def on_call_findings(policy: Section) -> Findings:
    """Yield the steps of the escalation policy that name nobody."""
    known = {
        "role": mapping_in(policy, "roles"),
        "contact": _names(policy, "contacts"),
        "channel": _names(policy, "channels"),
    }
    for index, rung in entries_in(policy, "on_call"):
        named = [kind for kind in known if rung.get(kind) is not None]
        if len(named) != 1:
            yield ("on_call", index), "must name one of these: a role, a contact, a channel"
        for kind in named:
            if isinstance(rung[kind], str) and rung[kind] not in known[kind]:
                yield ("on_call", index, kind), f"{rung[kind]!r} is no {kind}"


def _names(policy: Section, section: str) -> set[Any]:
    names = (entry.get("name") for _, entry in entries_in(policy, section))
    return {name for name in names if isinstance(name, str)}


def principal_findings(policy: Section) -> Findings:
    """Yield the principals that are listed twice, or limited to no group."""
    seen = set()
    groups = mapping_in(policy, "groups")
    for index, principal in entries_in(mapping_in(policy, "identity"), "principals"):
        path = ("identity", "principals", index)
        email = principal.get("email")
        if isinstance(email, str) and email in seen:
            yield (*path, "email"), f"principal {email!r} is listed by an earlier entry"
        seen.add(str(email))
        yield from unknown_names(path, principal, "groups", groups, "group", f"principal {email!r}: ")


def component_findings(policy: Section) -> Findings:
    """Yield the components that are listed twice, or name what the policy does not have."""
    page, groups = mapping_in(policy, "status_page"), mapping_in(policy, "groups")
    known: dict[str, Container[Any]] = {
        "signals": mapping_in(policy, "signals"),
        "groups": {*groups, *mapping_in(policy, "group_aliases")},
        "functions": _Members(groups.values()),
    }
    for path, what in names_once(page, "components"):
        yield ("status_page", *path), what
    for index, component in entries_in(page, "components"):
        path = ("status_page", "components", index)
        for section, names in known.items():
            yield from unknown_names(path, component, section, names, section[:-1])


def unknown_names(
    path: YamlPath, holder: Any, key: str, known: Container[str], kind: str, subject: str = ""
) -> Findings:
    """Yield each name in a list that is none of the known ones; `subject` stands before it."""
    for place, name in texts_in(holder, key):
        if name not in known:
            yield (*path, *place), f"{subject}{name!r} is no {kind}"


def names_once(policy: Section, section: str) -> Findings:
    """Yield the names in a section that an earlier entry has."""
    seen = set()
    for index, entry in entries_in(policy, section):
        name = entry.get("name")
        if not isinstance(name, str):
            continue
        if name in seen:
            yield (section, index, "name"), f"name {name!r} is taken by an earlier entry"
        seen.add(name)


def backup_findings(policy: Section) -> Findings:
    """Yield the buckets and intervals that make no backup."""
    rules = mapping_in(policy, "backups")
    bucket, second = rules.get("bucket"), rules.get("second")
    if isinstance(second, str) and not isinstance(bucket, str):
        yield ("backups", "second"), "there is nothing to copy: no bucket is exported to"
    elif isinstance(second, str) and second == bucket:
        yield ("backups", "second"), "the copy must lie in another bucket"
    every = _span(rules, "every")
    if every and (every < timedelta(hours=1) or timedelta(days=1) % every):
        yield ("backups", "every"), "a day is not a whole number of these, of an hour at least"


def signal_findings(policy: Section) -> Findings:
    """Yield the thresholds out of range, and the alert policies of two signals."""
    yield from _thresholds(policy)
    seen: dict[str, str | int] = {}
    for path, alert_policy in claimed_alert_policies(policy):
        if alert_policy in seen:
            yield path, f"alert policy {alert_policy} is claimed by signal {seen[alert_policy]!r} already"
        seen.setdefault(alert_policy, path[1])


def _thresholds(policy: Section) -> Findings:
    for name, signal in mapping_in(policy, "signals").items():
        if not isinstance(signal, dict):
            continue
        path = ("signals", name)
        if name in SIGNALS:
            yield from _threshold((*path, "threshold"), signal, SIGNALS[name].unit)
        for index, condition in entries_in(signal, "also"):
            unit = condition.get("unit")
            if unit in tuple(Unit):
                yield from _threshold((*path, "also", index, "threshold"), condition, Unit(unit))


def _threshold(path: YamlPath, holder: Section, unit: Unit) -> Findings:
    threshold = _number(holder, "threshold")
    if threshold is None:
        return
    if unit is Unit.RATIO and not 0 < threshold <= 1:
        yield path, f"threshold {threshold} is a ratio: above 0, at most 1"
    if unit is Unit.SECONDS and not 0 < threshold <= 86400:
        yield path, f"threshold {threshold} is in seconds: above 0, at most a day"
    if unit is Unit.COUNT and not (threshold >= 1 and threshold == int(threshold)):
        yield path, f"threshold {threshold} is a count: a whole number from 1"


def _members(policy: Section) -> Iterator[tuple[YamlPath, str, str, str]]:
    """Yield the place, the group, the kind and the text of each entry of a group."""
    for name, group in mapping_in(policy, "groups").items():
        for place, function in texts_in(group, "functions"):
            kind = "pattern" if is_pattern(function) else "function"
            yield ("groups", name, *place), name, kind, function
        for place, codebase in texts_in(group, "codebases"):
            yield ("groups", name, *place), name, "codebase", codebase


def _number(holder: Section, key: str) -> float | None:
    found = holder.get(key)
    return None if isinstance(found, bool) or not isinstance(found, int | float) else found


def _span(holder: Section, key: str) -> timedelta | None:
    found = holder.get(key)
    try:
        return parse_duration(found) if isinstance(found, str) else None
    except ValueError:
        return None


def execution_findings(policy: Section) -> Findings:
    """Yield a write quota that is too small for a canary."""
    quota = mapping_in(mapping_in(policy, "execution"), "write_quota")
    burst, share = quota.get("burst", WriteQuota().burst), quota.get("share", 1.0)
    numbers = isinstance(burst, int | float) and isinstance(share, int | float)
    if numbers and burst * share < WRITES_PER_CANARY:
        own = f"burst times share is {burst * share:g}"
        yield ("execution", "write_quota"), f"{own}: a canary takes {WRITES_PER_CANARY} writes at once"


def validate_assets(policy: Any) -> Findings:
    """Every breach of a rule in the assets of one policy file's value."""
    assets, collections = mapping_in(policy, "assets"), mapping_in(policy, "collections")
    for place, what in names_once(assets, "static"):
        yield ("assets", *place), what
    for index, asset in entries_in(assets, "static"):
        path = ("assets", "static", index)
        for key in ("first", "fallback"):
            url = asset.get(key)
            if isinstance(url, str) and url.startswith("http://"):
                yield (*path, key), "an origin is asked by https"
        if asset.get("first") is not None and asset.get("first") == asset.get("fallback"):
            yield (*path, "fallback"), "the fallback is the first origin itself"
    for place, name in texts_in(assets, "regenerated"):
        if not list_in(collections.get(name), "derived"):
            yield ("assets", *place), f"nothing says how {name!r} is made again: no collection with `derived`"


def validate_collections(policy: Any) -> Findings:
    """Every breach of a rule in the collections of one policy file's value."""
    collections, groups = mapping_in(policy, "collections"), mapping_in(policy, "groups")
    for name, collection in collections.items():
        if not isinstance(collection, dict):
            continue
        path = ("collections", name)
        yield from _validate_schema((*path, "schema"), collection.get("schema"))
        for field, target in mapping_in(collection, "references").items():
            if isinstance(target, str) and target not in collections:
                yield (*path, "references", field), f"{target!r} is no collection here"
        if collection.get("everywhere") is True and collection.get("updated_field"):
            yield (*path, "updated_field"), "Firestore has no such index by itself for collections everywhere"
        yield from unknown_names(path, collection, "writers", groups, "group")
        for index, query in enumerate(list_in(collection, "faulty")):
            yield from _validate_terms((*path, "faulty", index, "where"), query)
    yield from _validate_fence(policy, groups)


def _validate_fence(policy: Any, groups: Section) -> Findings:
    """Its writers are groups, and its canary is a probe that exercises one of their functions."""
    fence = mapping_in(policy, "fence")
    yield from unknown_names(("fence",), fence, "writers", groups, "group")
    canary = fence.get("canary")
    if not isinstance(canary, str):
        return
    writers = [name for _, name in texts_in(fence, "writers")]
    stopped = _Members(mapping_in(groups, name) for name in writers)
    found = [one.get("function") for _, one in entries_in(policy, "probes") if one.get("name") == canary]
    if not found:
        yield ("fence", "canary"), f"{canary!r} is no probe"
    elif found[0] not in stopped:
        yield ("fence", "canary"), f"{canary!r} asks none of the functions that are stopped"


def _validate_schema(path: YamlPath, schema: Any) -> Findings:
    if not isinstance(schema, dict):
        return
    try:
        compile_schema(schema)
    except ValueError as error:
        yield path, f"is no JSON Schema: {str(error).splitlines()[0]}"


def _validate_terms(path: YamlPath, query: Any) -> Findings:
    """A value where one is compared with, and nowhere else."""
    for index, term in enumerate(list_in(query, "where")):
        op = term.get("op") if isinstance(term, dict) else None
        if op in _VALUELESS and "value" in term:
            yield (*path, index, "value"), f"{op} takes no value"
        elif op in tuple(Comparison) and op not in _VALUELESS and "value" not in term:
            yield (*path, index), f"{op} needs a value"
        elif op == Comparison.ONE_OF and not isinstance(term["value"], list):
            yield (*path, index, "value"), "in needs a list"
