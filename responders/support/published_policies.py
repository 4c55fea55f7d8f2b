"""The policies in force: the newest published ones that are valid, or those in the archive."""

from collections.abc import Iterator, Sequence
from threading import Lock

from shared.core import log
from shared.core.codec import FrozenStruct
from shared.core.errors import BadConfiguration, Moved, Rejected
from shared.core.store import Create, Reader, Write
from shared.core.text import cut_reason
from shared.domain.audit.system_chain import system_event
from shared.domain.deployments.inventory.inventory_record import inventory_path, known_functions
from shared.domain.notices.notice import notice_writes
from shared.domain.notices.recipients import create_team_notices
from shared.domain.policy.function_groups import has_patterns, resolve_groups
from shared.domain.policy.severity import Severity
from shared.domain.policy.system_policy import Policies, Policy
from shared.domain.rollback.rollback import Rollback
from shared.policy_files.loader import PUBLISHED_OBJECT, find_differences, parse_published
from shared.ports.groups import Ports
from shared.ports.storage import VersionedObjects
from shared.state.work_queue import publish_notices

CHECK_INTERVAL_SECONDS = 15.0


class PolicySet(FrozenStruct, eq=False):
    """The policies of one generation (0: the archive's); a handler keeps the set it began with."""

    policies: Policies
    generation: int = 0


class PublishedPolicies:
    """Follows the published object; the bucket alone says which policies are in force."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._current = PolicySet(ports.policies)
        self._checked, self._next_check = -1, 0.0
        self._lock = Lock()

    def current(self) -> PolicySet:
        """Return the policies in force; where they cannot be read now, the last ones.

        Raises: Unavailable, where the functions that patterns of theirs cover cannot be read.
        """
        with self._lock:
            return self._update()

    def _update(self) -> PolicySet:
        objects, clock = self._ports.buckets.policies, self._ports.clock
        if clock.monotonic() >= self._next_check:
            try:
                if objects is not None:
                    self._check(objects)
            except Exception as failure:  # whatever an object holds, messages are handled
                message = "the published policies cannot be read; the last ones stay in force"
                log.write("WARNING", message, event="policy.unread", fault=repr(failure))
            policies = resolve_policies(self._ports.store, self._current.policies)
            if policies is not self._current.policies:
                self._current = PolicySet(policies, self._current.generation)
            self._next_check = clock.monotonic() + CHECK_INTERVAL_SECONDS
        return self._current

    def _check(self, objects: VersionedObjects) -> None:
        """Record every change that is not on record, then put the newest in force here."""
        live = objects.generation(PUBLISHED_OBJECT)
        if live == self._checked:
            return
        refused: dict[int, BadConfiguration] = {}
        found = find_valid_policies(self._ports, refused)
        newest = after = next(found)
        for generation, fault in refused.items():
            self._refuse(newest.policies, generation, fault)
        pending = []
        while after.generation and self._ports.store.get(f"policies/{after.generation}").fields is None:
            pending.append((before := next(found), after))
            after = before
        for before, later in reversed(pending):  # the oldest first: a crash leaves no gap behind
            self._record(before, later)
        self._current, self._checked = newest, live

    def _refuse(self, in_force: Policies, generation: int, fault: BadConfiguration) -> None:
        """Record the refusal and notify each team, once; a sweep publishes after a crash."""
        now, name = self._ports.clock.now(), "policy.refused"
        facts = {"generation": generation, "faults": fault.faults}
        text = cut_reason(f"The published policies are refused, the last valid ones stay in force: {fault}")
        for system, policy in in_force.items():
            incident = f"policy-{system}-{generation}"
            notices = create_team_notices(policy, incident, Severity.MEDIUM, name, text, now)
            event = system_event(system, f"{name}:{generation}", name, now, "policy bucket", **facts)
            if self._commit([event, *notice_writes(notices)], name):
                publish_notices(self._ports.bus, notices)

    def _record(self, before: PolicySet, after: PolicySet) -> None:
        now, name, facts = self._ports.clock.now(), "policy.changed", {"generation": after.generation}
        writes = [Create(f"policies/{after.generation}", facts)]
        for system, lines in find_differences(before.policies, after.policies).items():
            key, more = f"{name}:{after.generation}", {**facts, "difference": lines}
            writes.append(system_event(system, key, name, now, "policy bucket", **more))
        self._commit(writes, name)

    def _commit(self, writes: Sequence[Write], event: str) -> bool:
        """Return whether it is recorded now; another instance may have been first."""
        try:
            self._ports.store.commit(writes)
        except Moved:
            return False
        except Rejected as refused:  # the console may write nothing
            log.write("WARNING", f"{event} was not recorded: {refused}", event="policy.unrecorded")
            return False
        return True


def find_valid_policies(ports: Ports, refused: dict[int, BadConfiguration]) -> Iterator[PolicySet]:
    """Yield the valid policies, newest first, the archive's last; add to `refused` on the way."""
    objects = ports.buckets.policies
    for generation, content in objects.history(PUBLISHED_OBJECT) if objects is not None else ():
        try:
            yield PolicySet(parse_published(content, ports.policies), generation)
        except BadConfiguration as fault:
            refused[generation] = fault
    yield PolicySet(ports.policies)


def resolve_policies(store: Reader, policies: Policies) -> Policies:
    """Return the policies with the functions last read in their groups; the same, if none changes.

    A policy without patterns needs no read. Raises: Unavailable.
    """
    resolved = {
        system: resolve_groups(policy, known_functions(store.get(inventory_path(system)).fields))
        for system, policy in policies.items()
        if has_patterns(policy)
    }
    is_same = all(policies[system].groups == policy.groups for system, policy in resolved.items())
    return policies if is_same else {**policies, **resolved}


def find_plan_policy(ports: Ports, policies: Policies, rollback: Rollback) -> Policy:
    """Return the policy of the frozen plan, else the one in force. Raises: Unavailable."""
    current, plan = policies[rollback.system], rollback.plan
    if plan is None or plan.policy == current.fingerprint:
        return current
    why = "no published version has its fingerprint"
    try:
        known = (one.policies[rollback.system] for one in find_valid_policies(ports, {}))
        if found := next((policy for policy in known if policy.fingerprint == plan.policy), None):
            return resolve_policies(ports.store, {rollback.system: found})[rollback.system]
    except Rejected as refused:
        why = str(refused)
    message = "the policy of the plan was not found; the policy in force is used"
    log.write("WARNING", message, event="policy.plan-unread", rollback=rollback.id, fault=why)
    return current
