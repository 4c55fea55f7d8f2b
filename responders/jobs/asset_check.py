"""on_clock: once a day, whether assets are as declared; a change is told."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from responders.support.parallel_calls import Call, call_all, select_named
from shared.core import log
from shared.core.errors import Moved, RollbackError
from shared.core.store import Document
from shared.domain.audit.system_chain import system_event
from shared.domain.data.asset_protection import (
    ABSENT_TOPIC_COUNT,
    AssetProtectionStatus,
    ObservedAssets,
    assets_path,
    evaluate_assets,
    regeneration_topics,
)
from shared.domain.notices.notice import Notice
from shared.domain.notices.recipients import create_notices
from shared.domain.policy.probes import Probe
from shared.domain.policy.resources import AssetRules
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies, Policy
from shared.ports.groups import Ports
from shared.ports.storage import AssetDependencies
from shared.state.work_queue import commit_with_notices

ACTOR = "on_clock"
SERVED_STATUS_BELOW = 400
"""What an origin answers when it serves an asset; a redirect counts, and is not followed."""
FIRST, FALLBACK, BUCKET, TOPIC = "first ", "fallback ", "bucket ", "topic "
"""How the calls are named that look at each kind."""


def check_due_assets(ports: Ports, policies: Policies) -> None:
    """Look at what declared assets rely on, where nobody has for a day.

    Raises: Unavailable, for the store's.
    """
    for policy in policies.values():
        if policy.assets == AssetRules():
            continue
        document = ports.store.get(assets_path(policy.system))
        previous = document.find(AssetProtectionStatus)
        now = document.read_at
        if previous is None or now >= previous.due_at:
            status = evaluate_assets(policy, _observe_assets(ports, policy), previous, now)
            _save_status(ports, policy, document, previous, status)


def _observe_assets(ports: Ports, policy: Policy) -> ObservedAssets:
    """What there is of each asset; why something was not seen goes to the log."""
    answers = call_all(ports, dict(_build_calls(ports, policy)))
    for name, answer in answers.items():
        if isinstance(answer, RollbackError):
            log.write("WARNING", f"assets of {policy.system}: {name} cannot be read: {answer}")
    return ObservedAssets(
        first=select_named(answers, FIRST),
        fallback=select_named(answers, FALLBACK),
        places=select_named(answers, BUCKET),
        listeners=select_named(answers, TOPIC),
    )


def _build_calls(ports: Ports, policy: Policy) -> Iterator[tuple[str, Call]]:
    ask, provisions = ports.prober.ask, ports.projects.provisions
    for one in policy.assets.static:
        for kind, url in ((FIRST, one.first), (FALLBACK, one.fallback)):
            name = f"{kind}{one.name}"
            yield name, partial(ask, Probe(name, url, status_below=SERVED_STATUS_BELOW))
    for bucket in policy.assets.replicated:
        yield f"{BUCKET}{bucket}", partial(provisions.location_type, bucket)
    for collection in policy.assets.regenerated:
        for topic in regeneration_topics(policy, collection):
            yield f"{TOPIC}{topic}", partial(_count_listeners, provisions, policy.project, topic)


def _count_listeners(provisions: AssetDependencies, project: str, topic: str) -> int:
    found = provisions.count_subscriptions(project, topic)
    return ABSENT_TOPIC_COUNT if found is None else found


def _save_status(
    ports: Ports,
    policy: Policy,
    document: Document,
    previous: AssetProtectionStatus | None,
    status: AssetProtectionStatus,
) -> None:
    notices = []
    events = []
    if status.notified_faults != (previous.notified_faults if previous else frozenset()):
        now = status.looked_at
        name = "assets.amiss" if status.notified_faults else "assets.kept"
        notices = _build_notices(policy, status)
        key = f"{name}:{now:%Y%m%dT%H%M%S%f}"
        events = [system_event(policy.system, key, name, now, ACTOR, found=status.lines)]
    with suppress(Moved):  # another instance has looked, and told
        commit_with_notices(ports, [document.build_write(status), *events], notices)


def _build_notices(policy: Policy, status: AssetProtectionStatus) -> list[Notice]:
    word = "assets are as declared again"
    if status.notified_faults:
        word = "assets are not as declared" if status.faults else "assets cannot be read"
    text = "\n".join((f"{policy.system}: {word}", *status.lines))
    now = status.looked_at
    key = f"assets-{policy.system}-{now:%Y%m%dT%H%M%S%f}"
    return create_notices(policy, key, Severity.MEDIUM, "assets", text, now, faults=status.lines)
