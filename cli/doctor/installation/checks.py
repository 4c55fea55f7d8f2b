"""Checks of the responders themselves: facts in, findings out."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from cli.doctor.calls import SIGN_IN_API, check_apis
from cli.doctor.finding import Findings, doubtful, name_first, require_read, unknown, unread, well, wrong
from cli.doctor.installation import messaging, metrics
from cli.doctor.installation.facts import DEAD_MAN, InstallationFacts, deployed_responders
from cli.support.output import format_time
from shared.core import topics
from shared.core.errors import RollbackError
from shared.core.text import count_noun
from shared.ports.operations_project import DeployedFunction
from shared.state.work_queue import COLLECTION_BY_KIND

LISTS = "roles/storage.legacyBucketReader"
"""The role that shows names, and reads nothing."""
EXPORTERS = ("@gcp-sa-firestore.iam.gserviceaccount.com", "@appspot.gserviceaccount.com")
"""The suffix of the service agents that write and import exports."""
WITH_THE_BUCKET = ("projectEditor:", "projectViewer:")
"""Prefixes of the members that Cloud Storage lets read each new bucket."""
MAX_CLOCK_DIFFERENCE = timedelta(seconds=5)
"""How far this machine's clock may be from the store's."""
MAX_OVERDUE = timedelta(minutes=2)
MAX_TICK_AGE = timedelta(minutes=3)
CODE_LABEL = "rollback-code"
POLICY_LABEL = "rollback-policy-"
"""Labels of the functions: what they were made of (terraform/source.tf)."""
CONSOLE = topics.deployed_function(topics.CONSOLE_ENTRY_POINT)
PUBLISHER = "roles/pubsub.publisher"


def check_readers(facts: InstallationFacts) -> Findings:
    """Who reads values of variables and exports by the policies of their buckets."""
    if facts.values is None:
        why = "the bucket of values was not checked: ROLLBACK_VALUES_BUCKET is not set here"
        yield unknown("values", why, "set it, and check again")
    for bucket, granted in facts.bucket_grants.items():
        if isinstance(granted, RollbackError):
            yield unread(bucket, granted)
        elif isinstance(facts.functions, RollbackError):
            yield unread(bucket, facts.functions)
        else:
            held = {(role, one) for role, members in granted.items() if role != LISTS for one in members}
            strangers = {one for role, one in held if not _is_expected(facts, bucket, role, one)}
            why = f"its IAM policy allows these more than listing: {name_first(strangers)}"
            if not strangers:
                yield well(bucket, "by its own policy only the intended accounts read it")
            elif strangers & messaging.EVERYBODY or any(one.startswith(WITH_THE_BUCKET) for one in strangers):
                yield wrong(bucket, why, "terraform apply, or remove the grant")
            else:
                yield doubtful(bucket, why, "who gave it? else remove the grant")


def _is_expected(facts: InstallationFacts, bucket: str, role: str, member: str) -> bool:
    """Whether Terraform gives this (terraform/bucket_grants.tf)."""
    ours = {
        name: f"serviceAccount:{one.account}" for name, one in deployed_responders(facts.functions).items()
    }
    if member == f"projectOwner:{facts.project}":
        return True
    if role.startswith(f"projects/{facts.project}/roles/rollback_"):
        return member in ours.values() or (bucket.endswith("-policies") and role.endswith("_read_objects"))
    if bucket == facts.values:
        return member == ours.get("on_work")
    return member.endswith(EXPORTERS)


def _state(facts: InstallationFacts) -> Findings:
    """Whether the state database answers, and its time is this machine's."""
    name = "state database"
    apart = require_read(facts.clock_difference, name)
    if apart > MAX_CLOCK_DIFFERENCE:
        why = f"it answers; the clock of this machine differs by {apart.total_seconds():.0f} s"
        yield doubtful(name, why, "set the clock of this machine: tokens and freezes depend on time")
    else:
        yield well(name, "it answers, and the clocks agree")


def _deployed(facts: InstallationFacts) -> Findings:
    name = "functions"
    functions = {one.name: one for one in require_read(facts.functions, name)}
    if facts.is_local:
        yield unknown(name, "an embedded cloud does not contain them")
        return
    faults = [
        (topics.deployed_function(entry_point), fault)
        for entry_point in topics.ENTRY_POINTS
        for fault in _faults(functions.get(topics.deployed_function(entry_point)), entry_point)
    ]
    for broken, why in faults:
        yield wrong(broken, why, "terraform apply")
    if not faults:
        yield well(name, f"all {len(topics.ENTRY_POINTS)} are ACTIVE")


def _faults(found: DeployedFunction | None, entry_point: str) -> Iterator[str]:
    if found is None:
        yield "it does not exist"
    elif found.entry_point != entry_point:
        yield f"it runs {found.entry_point}, not {entry_point}"
    elif not found.active:
        yield "it is not ACTIVE: its newest deployment failed or is in progress"


def _code(facts: InstallationFacts) -> Findings:
    """Whether the labels of the functions name this checkout."""
    labels = [one.labels for one in deployed_responders(facts.functions).values()]
    wanted = {CODE_LABEL: facts.code}
    wanted |= {f"{POLICY_LABEL}{system}": mark for system, mark in facts.policies.items()}
    for label, mark in wanted.items():
        said = {one.get(label, "") for one in labels}
        if said <= {""}:
            yield unknown(label, "no function has a label of its source")
        elif said == {mark}:
            yield well(label, "the deployed code is the code here")
        else:
            why = "the deployed version is not the one here: this shell may compute other results"
            yield doubtful(label, why, "check out the deployed version, or apply")


def _console(facts: InstallationFacts) -> Findings:
    """Whether the console is there, and its account may publish commands."""
    found = next((one for one in require_read(facts.functions, CONSOLE) if one.name == CONSOLE), None)
    if found is None or facts.is_local:
        why, to_do = "there is none: operators use the command line", "console in Terraform"
        if facts.is_local:
            why, to_do = "an embedded cloud does not contain it", ""
        yield unknown(CONSOLE, why, to_do)
        return
    faults = [*_faults(found, topics.CONSOLE_ENTRY_POINT)]
    for why in faults:
        yield wrong(CONSOLE, why, "terraform apply")
    granted = require_read(facts.grants.get(topics.COMMANDS, {}), topics.COMMANDS)
    if f"serviceAccount:{found.account}" not in granted.get(PUBLISHER, ()):
        why = "the topic's IAM policy does not allow its account to publish commands"
        yield wrong(CONSOLE, why, "terraform apply")
    elif not faults:
        yield well(CONSOLE, f"ACTIVE at {found.uri}, and its account may publish commands")


def _clock(facts: InstallationFacts) -> Findings:
    """Whether the clock has swept the last two half minutes."""
    name = topics.CLOCK
    missed = [half for half, swept in facts.ticks.items() if not require_read(swept, name)]
    if not missed:
        yield well(name, "both sweeps of the last minute ran")
    elif len(missed) < len(facts.ticks):
        yield doubtful(name, f"no sweep in the half minute of {name_first(missed)}", "check again soon")
    else:
        why = "no sweep for a minute: scheduled work is not published, and no probe runs"
        yield wrong(name, why, "read the log of on_clock, and the jobs rollback-clock of Cloud Scheduler")


def _overdue(facts: InstallationFacts) -> Findings:
    """Whether any work is overdue by more than two minutes."""
    for kind, since in facts.due_since.items():
        if isinstance(since, RollbackError):
            yield unread(COLLECTION_BY_KIND[kind], since)
        elif since is not None and facts.now - since > MAX_OVERDUE:
            why = f"overdue since {format_time(since)} UTC: no worker does it"
            to_do = f"read the log of {'on_notice' if kind == 'notice' else 'on_work'}"
            yield wrong(COLLECTION_BY_KIND[kind], why, to_do)
        else:
            yield well(COLLECTION_BY_KIND[kind], "nothing is overdue")


def _anchors(facts: InstallationFacts) -> Findings:
    """Whether the heads of the audit log are anchored outside the database."""
    name = "audit log"
    since = require_read(facts.unanchored_since, name)
    if since is None or facts.now - since <= MAX_OVERDUE:
        yield well(name, "no head waits to be anchored")
        return
    why = f"heads have waited since {format_time(since)} UTC: a chain that is written anew is not found"
    yield wrong(name, why, "read the log of on_clock, and check its ROLLBACK_AUDIT_BUCKET")


def _dead_man(facts: InstallationFacts) -> Findings:
    """Whether the dead man's switch was called, and has answered."""
    run = require_read(facts.dead_man, DEAD_MAN)
    if run is None:
        why = "there is no such job: nothing outside reports that the responders are down"
        yield unknown(DEAD_MAN, why, "dead_man_url in Terraform")
    elif not run.enabled:
        why = "it is paused: the switch outside reports that the responders are down"
        yield wrong(DEAD_MAN, why, "resume it in Cloud Scheduler")
    elif run.at is None or facts.now - run.at > MAX_TICK_AGE:
        why = f"its last call was {f'at {format_time(run.at)} UTC' if run.at else 'never'}"
        yield wrong(DEAD_MAN, why, "read the log of Cloud Scheduler")
    elif run.code > 0:
        why = f"its last call failed (code {run.code}): the external switch may report an outage"
        yield wrong(DEAD_MAN, why, "correct dead_man_url in Terraform")
    elif run.code < 0:
        yield unknown(DEAD_MAN, "the result of its last call is unknown", "check again in a minute")
    else:
        yield well(DEAD_MAN, f"called at {format_time(run.at)} UTC, and answered")


def _own_alerts(facts: InstallationFacts) -> Findings:
    """Whether alerts on the responders themselves notify anybody."""
    name = facts.project
    reaching = [one for one in require_read(facts.measured, name).asked if one.enabled and one.channels]
    if facts.is_local:
        yield unknown(name, "an embedded cloud has no alerts on the responders themselves")
    elif not reaching:
        why = "no alert on the responders themselves reaches anybody"
        yield doubtful(name, why, "pager_channels in Terraform")
    else:
        why = f"{count_noun(len(reaching), 'alert')} on the responders themselves can reach somebody"
        yield well(name, why)


CHECKS: Mapping[str, Callable[[InstallationFacts], Findings]] = {
    "state": _state,
    "topics": messaging.check_topics,
    "schemas": messaging.check_schemas,
    "subscriptions": messaging.check_subscriptions,
    "letters-kept": messaging.check_dead_letters,
    "publishers": messaging.check_publishers,
    "deployed": _deployed,
    "code": _code,
    "console": _console,
    "clock": _clock,
    "overdue": _overdue,
    "anchors": _anchors,
    "apis": lambda facts: check_apis(SIGN_IN_API, facts.sign_in),
    "dead-man": _dead_man,
    "readers": check_readers,
    "alert-policies": _own_alerts,
    "metric-names": lambda facts: metrics.check_metric_names(facts.project, facts.measured),
    "queries": lambda facts: metrics.check_queries(facts.project, facts.measured),
}
