"""How messages reach the responders, and from whom: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cli.doctor.finding import CheckFinding, CheckVerdict, name_first, require_read, unread_finding
from cli.doctor.installation.facts import InstallationFacts, deployed_responders
from cli.support.output import format_lasting
from shared.core import topics
from shared.core.errors import RollbackError
from shared.core.text import count_noun
from shared.ports.operations_project import Subscription

EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
ONLY_READ = frozenset({"roles/pubsub.viewer", "roles/pubsub.subscriber"})
"""Roles that let nobody publish."""
PUBLISHES = ("roles/editor", "roles/pubsub.admin", "roles/pubsub.editor", "roles/pubsub.publisher")
"""Of Google's roles those that let publish, but for owners
(cloud.google.com/iam/docs/roles-permissions/pubsub, read 2026-11)."""
MONITORING = "@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
"""How the notification agents of projects end."""
FINDINGS = "@gcp-sa-scc-notification.iam.gserviceaccount.com"
"""How those of Security Command Center end."""
DETACHED = "_deleted-topic_"


def check_topics(facts: InstallationFacts) -> Iterator[CheckFinding]:
    """Whether every topic is there."""
    found = require_read(facts.topics, "topics")
    missing = [topic for topic in topics.ALL_TOPICS if topic not in found]
    for topic in missing:
        why = "it is not there: whatever is said on it is lost"
        yield CheckFinding("topics", topic, CheckVerdict.WRONG, why, "terraform apply")
    if not missing:
        yield CheckFinding("topics", "topics", CheckVerdict.WELL, f"all {len(topics.ALL_TOPICS)} are there")


def check_schemas(facts: InstallationFacts) -> Iterator[CheckFinding]:
    """A schema refuses what does not fit: wanted of commands, a loss anywhere else."""
    found = require_read(facts.topics, "topics")
    if facts.is_local:
        return
    commands = (topics.COMMANDS, topics.OVERRIDE)
    bare = [one for one in commands if one in found and not found[one]]
    others = [one for one in topics.ALL_TOPICS if one not in commands and found.get(one)]
    for topic in bare:
        why = "without a schema: a wrong command is refused later, and not at its publisher"
        yield CheckFinding("schemas", topic, CheckVerdict.DOUBTFUL, why, "terraform apply")
    for topic in others:
        why = f"its schema {found[topic]} refuses what is no command of ours"
        yield CheckFinding("schemas", topic, CheckVerdict.WRONG, why, "terraform apply")
    if not bare and not others:
        why = "the topics of commands alone have one"
        yield CheckFinding("schemas", "topics", CheckVerdict.WELL, why)


def check_subscriptions(facts: InstallationFacts) -> Iterator[CheckFinding]:
    """Whether each topic is pushed to its entry point as it should be."""
    found = require_read(facts.subscriptions, "subscriptions")
    amiss = [
        one
        for entry_point, several in topics.ENTRY_POINTS.items()
        for topic in several
        for one in _deliveries(facts, found, entry_point, topic)
    ]
    yield from amiss
    if not amiss:
        why = "each topic has its push, with dead letters, and none expires"
        yield CheckFinding("subscriptions", "subscriptions", CheckVerdict.WELL, why)


def _deliveries(
    facts: InstallationFacts, found: Sequence[Subscription], entry_point: str, topic: str
) -> Iterator[CheckFinding]:
    """What is amiss with the delivery of one topic."""
    name = f"{topic}-push"
    full = f"projects/{facts.project}/topics/{topic}"
    here = [one for one in found if one.topic == full and not one.detached]
    pushes = [one for one in here if one.endpoint]
    cut = [one for one in found if one.name == name and one not in pushes]
    if not pushes:
        why = f"nothing is pushed to {entry_point}: its messages wait or are lost"
        to_do = "terraform apply"
        if any(one.detached or one.topic == DETACHED for one in cut):
            why = f"detached, perhaps as an emergency stop: nothing reaches {entry_point}"
            to_do = "terraform apply -replace (docs/operate.md), once whoever stopped it agrees"
        yield CheckFinding("subscriptions", name, CheckVerdict.WRONG, why, to_do)
    if len(pushes) > 1:
        why = f"pushed {count_noun(len(pushes), 'time')}: {name_first([one.name for one in pushes])}"
        yield CheckFinding("subscriptions", topic, CheckVerdict.WRONG, why, "delete the others")
    for one in here:
        if not one.endpoint:
            why = "somebody else reads this topic; on one of commands it sees unused tokens"
            yield CheckFinding("subscriptions", one.name, CheckVerdict.DOUBTFUL, why, "delete it")
    for one in pushes:
        for verdict, fault in _faults(facts, one, entry_point, topic):
            yield CheckFinding("subscriptions", one.name, verdict, fault, "terraform apply")


def _faults(
    facts: InstallationFacts, one: Subscription, entry_point: str, topic: str
) -> Iterator[tuple[CheckVerdict, str]]:
    """What is amiss with one push subscription."""
    if not one.endpoint.endswith(f"/projects/{facts.project}/topics/{topic}"):
        yield CheckVerdict.WRONG, f"its address does not end with its topic: {one.endpoint}"
    if one.dead_letters != f"projects/{facts.project}/topics/{topics.DEAD_LETTERS}":
        yield CheckVerdict.WRONG, "what it gives up is no dead letter, and is lost"
    elif one.attempts != topics.MAX_DELIVERY_ATTEMPTS:
        said = f"gives up after {one.attempts} deliveries, not {topics.MAX_DELIVERY_ATTEMPTS}"
        yield CheckVerdict.DOUBTFUL, said
    if one.expires:
        yield CheckVerdict.WRONG, "it goes by itself when nothing happens for a month"
    if one.backoff != topics.backoff(topic):
        yield CheckVerdict.DOUBTFUL, "its pauses between deliveries are not the stated ones"
    if one.ack_deadline != topics.ACK_DEADLINE:
        said = f"it waits {format_lasting(one.ack_deadline)}, not {format_lasting(topics.ACK_DEADLINE)}"
        yield CheckVerdict.DOUBTFUL, said
    if not facts.is_local:
        yield from _unproven(facts, one, entry_point)


def _unproven(
    facts: InstallationFacts, one: Subscription, entry_point: str
) -> Iterator[tuple[CheckVerdict, str]]:
    """Why the function would refuse what a subscription pushes, or never see it."""
    if not one.account:
        yield CheckVerdict.WRONG, "it pushes without a token (OIDC): the function refuses it"
    found = deployed_responders(facts.functions).get(entry_point)
    if found is not None and found.uri:
        if not one.endpoint.startswith(f"{found.uri}/"):
            yield CheckVerdict.WRONG, f"it does not push to {entry_point}, which is at {found.uri}"
        audience = found.environment.get("ROLLBACK_PUSH_AUDIENCE", "").replace("{function}", found.name)
        account = found.environment.get("ROLLBACK_PUSH_ACCOUNT", "")
        if (one.account, one.audience) != (account, audience):
            to = one.audience or one.endpoint
            said = f"its token is of {one.account} for {to}; {entry_point} accepts {account} for {audience}"
            yield CheckVerdict.WRONG, said


def check_dead_letters(facts: InstallationFacts) -> Iterator[CheckFinding]:
    """Whether dead letters are kept until a person takes them out."""
    check, name = "letters-kept", topics.DEAD_LETTER_SUBSCRIPTION
    topic = f"projects/{facts.project}/topics/{topics.DEAD_LETTERS}"
    kept = next((one for one in require_read(facts.subscriptions, name) if one.name == name), None)
    if kept is None or kept.topic != topic or kept.endpoint or kept.detached:
        why = "nothing keeps dead letters: what is refused is lost"
        yield CheckFinding(check, name, CheckVerdict.WRONG, why, "terraform apply")
    elif kept.expires:
        why = "it goes by itself after a month without dead letters"
        yield CheckFinding(check, name, CheckVerdict.WRONG, why, "terraform apply")
    elif kept.kept_for < topics.DEAD_LETTER_RETENTION:
        why = f"letters are kept {format_lasting(kept.kept_for)} only"
        yield CheckFinding(check, name, CheckVerdict.DOUBTFUL, why, "terraform apply")
    else:
        yield CheckFinding(check, name, CheckVerdict.WELL, f"kept for {format_lasting(kept.kept_for)}")


def check_publishers(facts: InstallationFacts) -> Iterator[CheckFinding]:
    """Who may publish, by each topic's own policy and by the project's."""
    if not facts.is_local:
        yield _of_the_project(facts)
    for topic, granted in facts.grants.items():
        if isinstance(granted, RollbackError):
            yield unread_finding("publishers", topic, granted)
            continue
        may = {member for role, members in granted.items() if role not in ONLY_READ for member in members}
        yield _judged(topic, may, is_local=facts.is_local)


def _of_the_project(facts: InstallationFacts) -> CheckFinding:
    """Who may publish on every topic; its owners may give themselves anything."""
    check, granted = "publishers", facts.project_grants
    if isinstance(granted, RollbackError):
        return unread_finding(check, facts.project, granted)
    may = {member for role in PUBLISHES for member in granted.get(role, ())}
    if may:
        why = f"on every topic by the project's own policy, as override too: {name_first(may)}"
        to_do = "take it away, or keep operations in a project of their own"
        return CheckFinding(check, facts.project, CheckVerdict.DOUBTFUL, why, to_do)
    why = "by the project's own policy nobody but its owners"
    return CheckFinding(check, facts.project, CheckVerdict.WELL, why)


def _judged(topic: str, may: set[str], *, is_local: bool) -> CheckFinding:
    public = may & EVERYBODY
    others = {one for one in may if not one.endswith((MONITORING, FINDINGS))}
    is_heard = any(one.endswith(MONITORING) for one in may)
    verdict, why, to_do = CheckVerdict.WELL, name_first(may) or "nobody by its own policy", ""
    if public:
        verdict, to_do = CheckVerdict.WRONG, "take the grant away"
        why = f"everybody may publish ({name_first(public)})"
    elif topic == topics.OVERRIDE and may:
        verdict, to_do = (CheckVerdict.DOUBTFUL, "is this the day when sign-in is down? else take it away")
        why = f"may command without proof: {name_first(may)}"
    elif topic == topics.ALERTS and not is_heard and not is_local:
        verdict, to_do = CheckVerdict.WRONG, "terraform apply"
        why = "no agent of Cloud Monitoring has it here: alerts do not arrive"
    elif topic == topics.ALERTS and others:
        verdict, to_do = CheckVerdict.DOUBTFUL, "only whoever replays dead letters needs it"
        why = f"may say that something is down, beside Cloud Monitoring: {name_first(others)}"
    return CheckFinding("publishers", topic, verdict, why, to_do)
