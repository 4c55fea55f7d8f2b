"""How messages reach the responders, and from whom: facts in, findings out."""

from collections.abc import Sequence

from cli.doctor.finding import CheckFinding, Findings, doubtful, name_first, require_read, unread, well, wrong
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


def check_topics(facts: InstallationFacts) -> Findings:
    """Whether every topic is there."""
    found = require_read(facts.topics, "topics")
    missing = [topic for topic in topics.ALL_TOPICS if topic not in found]
    for topic in missing:
        yield wrong(topic, "it does not exist: its messages are lost", "terraform apply")
    if not missing:
        yield well("topics", f"all {len(topics.ALL_TOPICS)} exist")


def check_schemas(facts: InstallationFacts) -> Findings:
    """Whether only the topics of commands have a schema: elsewhere it would refuse messages."""
    found = require_read(facts.topics, "topics")
    if facts.is_local:
        return
    commands = (topics.COMMANDS, topics.OVERRIDE)
    bare = [one for one in commands if one in found and not found[one]]
    others = [one for one in topics.ALL_TOPICS if one not in commands and found.get(one)]
    for topic in bare:
        why = "no schema: a wrong command is refused later, not at its publisher"
        yield doubtful(topic, why, "terraform apply")
    for topic in others:
        yield wrong(topic, f"its schema {found[topic]} refuses every message but commands", "terraform apply")
    if not bare and not others:
        yield well("topics", "only the topics of commands have one")


def check_subscriptions(facts: InstallationFacts) -> Findings:
    """Whether each topic is pushed to its entry point as it should be."""
    amiss = [
        one
        for entry_point, several in topics.ENTRY_POINTS.items()
        for topic in several
        for one in _deliveries(facts, require_read(facts.subscriptions, "subscriptions"), entry_point, topic)
    ]
    yield from amiss
    if not amiss:
        yield well("subscriptions", "each topic has its push and its dead-letter topic, and none expires")


def _deliveries(
    facts: InstallationFacts, found: Sequence[Subscription], entry_point: str, topic: str
) -> Findings:
    name = f"{topic}-push"
    full = f"projects/{facts.project}/topics/{topic}"
    here = [one for one in found if one.topic == full and not one.detached]
    pushes = [one for one in here if one.endpoint]
    cut = [one for one in found if one.name == name and one not in pushes]
    if not pushes:
        why = f"no subscription pushes to {entry_point}: its messages wait or are lost"
        to_do = "terraform apply"
        if any(one.detached or one.topic == DETACHED for one in cut):
            why = f"detached, perhaps as an emergency stop: nothing reaches {entry_point}"
            to_do = "terraform apply -replace (docs/operate.md), once the person who stopped it agrees"
        yield wrong(name, why, to_do)
    if len(pushes) > 1:
        why = f"pushed {count_noun(len(pushes), 'time')}: {name_first([one.name for one in pushes])}"
        yield wrong(topic, why, "delete the others")
    for one in here:
        if not one.endpoint:
            why = "another subscription reads this topic, and with commands their valid tokens"
            yield doubtful(one.name, why, "delete it")
    for one in pushes:
        yield from _faults(facts, one, entry_point, topic)


def _faults(facts: InstallationFacts, one: Subscription, entry_point: str, topic: str) -> Findings:
    name, to_do = one.name, "terraform apply"
    if not one.endpoint.endswith(f"/projects/{facts.project}/topics/{topic}"):
        yield wrong(name, f"its address does not end with its topic: {one.endpoint}", to_do)
    if one.dead_letters != f"projects/{facts.project}/topics/{topics.DEAD_LETTERS}":
        yield wrong(name, "without its dead-letter topic: messages that it gives up are lost", to_do)
    elif one.attempts != topics.MAX_DELIVERY_ATTEMPTS:
        why = f"gives up after {one.attempts} deliveries, not {topics.MAX_DELIVERY_ATTEMPTS}"
        yield doubtful(name, why, to_do)
    if one.expires:
        yield wrong(name, "it expires after a month without messages", to_do)
    if one.backoff != topics.backoff(topic):
        yield doubtful(name, "its retry delays differ from those of Terraform", to_do)
    if one.ack_deadline != topics.ACK_DEADLINE:
        why = f"its deadline is {format_lasting(one.ack_deadline)}, not {format_lasting(topics.ACK_DEADLINE)}"
        yield doubtful(name, why, to_do)
    if not facts.is_local:
        yield from _unproven(facts, one, entry_point)


def _unproven(facts: InstallationFacts, one: Subscription, entry_point: str) -> Findings:
    """Why the function would refuse what a subscription pushes, or never see it."""
    name, to_do = one.name, "terraform apply"
    if not one.account:
        yield wrong(name, "it pushes without a token (OIDC): the function refuses it", to_do)
    found = deployed_responders(facts.functions).get(entry_point)
    if found is not None and found.uri:
        if not one.endpoint.startswith(f"{found.uri}/"):
            yield wrong(name, f"it does not push to {entry_point}, which is at {found.uri}", to_do)
        audience = found.environment.get("ROLLBACK_PUSH_AUDIENCE", "").replace("{function}", found.name)
        account = found.environment.get("ROLLBACK_PUSH_ACCOUNT", "")
        if (one.account, one.audience) != (account, audience):
            to = one.audience or one.endpoint
            said = f"its token is of {one.account} for {to}; {entry_point} needs {account} for {audience}"
            yield wrong(name, said, to_do)


def check_dead_letters(facts: InstallationFacts) -> Findings:
    """Whether dead-letter messages are stored until a person replays them."""
    name = topics.DEAD_LETTER_SUBSCRIPTION
    topic = f"projects/{facts.project}/topics/{topics.DEAD_LETTERS}"
    kept = next((one for one in require_read(facts.subscriptions, name) if one.name == name), None)
    if kept is None or kept.topic != topic or kept.endpoint or kept.detached:
        yield wrong(name, "nothing stores refused messages: they are lost", "terraform apply")
    elif kept.expires:
        yield wrong(name, "it expires after a month without refused messages", "terraform apply")
    elif kept.kept_for < topics.DEAD_LETTER_RETENTION:
        yield doubtful(name, f"messages are stored {format_lasting(kept.kept_for)} only", "terraform apply")
    else:
        yield well(name, f"messages are stored for {format_lasting(kept.kept_for)}")


def check_publishers(facts: InstallationFacts) -> Findings:
    """Who may publish, by each topic's own policy and by the project's."""
    if not facts.is_local:
        yield _of_the_project(facts)
    for topic, granted in facts.grants.items():
        if isinstance(granted, RollbackError):
            yield unread(topic, granted)
            continue
        may = {member for role, members in granted.items() if role not in ONLY_READ for member in members}
        yield _judged(topic, may, is_local=facts.is_local)


def _of_the_project(facts: InstallationFacts) -> CheckFinding:
    """Who may publish on every topic; its owners may give themselves anything."""
    granted = facts.project_grants
    if isinstance(granted, RollbackError):
        return unread(facts.project, granted)
    may = {member for role in PUBLISHES for member in granted.get(role, ())}
    if may:
        why = f"on every topic by the project's own policy, as override too: {name_first(may)}"
        return doubtful(facts.project, why, "remove the grant, or keep operations in a project of their own")
    return well(facts.project, "by the project's own policy nobody but its owners")


def _judged(topic: str, may: set[str], *, is_local: bool) -> CheckFinding:
    public = may & EVERYBODY
    others = {one for one in may if not one.endswith((MONITORING, FINDINGS))}
    is_heard = any(one.endswith(MONITORING) for one in may)
    if public:
        return wrong(topic, f"everybody may publish ({name_first(public)})", "remove the grant")
    if topic == topics.OVERRIDE and may:
        to_do = "is sign-in down? else remove the grant"
        return doubtful(topic, f"may command without proof: {name_first(may)}", to_do)
    if topic == topics.ALERTS and not is_heard and not is_local:
        why = "no agent of Cloud Monitoring may publish: alerts do not arrive"
        return wrong(topic, why, "terraform apply")
    if topic == topics.ALERTS and others:
        why = f"may publish alerts, beside Cloud Monitoring: {name_first(others)}"
        return doubtful(topic, why, "only the operators who replay messages need it")
    return well(topic, name_first(may) or "nobody by its own policy")
