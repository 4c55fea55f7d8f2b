"""What a repair of the data would do: looked through beforehand, in pieces, and made a plan of."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from msgspec.structs import replace

from responders.data import restore_points
from responders.data.repair.document_outcomes import RepairSelector, read_expiries
from responders.support.parallel_calls import call_all, require_answer
from shared.core import text
from shared.core.codec import FrozenStruct, encode
from shared.core.durations import describe_duration
from shared.core.errors import Refused
from shared.domain.data.backups import restore_point
from shared.domain.data.events.document_triggers import DocumentEvent, find_listeners
from shared.domain.data.integrity.damage import IntegrityRecord
from shared.domain.data.repair import repair_plan
from shared.domain.data.repair.repair_plan import (
    EVENT_BY_OUTCOME,
    UNDOING_OUTCOMES,
    WHOLE_DATABASE,
    WRITTEN_OUTCOMES,
    DocumentDecision,
    DocumentOutcome,
    DocumentSelection,
    RepairGoal,
    RepairPosition,
    RepairPreview,
    SelectionKind,
)
from shared.domain.data.ttl import TtlField
from shared.domain.decision.facts import DecisionFacts
from shared.domain.decision.forecast import DOCUMENTS_PER_SECOND, describe_copy_time, forecast_documents
from shared.domain.policy.data_rules import OnRepair, declared_collection_name
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.policy.system_policy import Policy
from shared.domain.rollback import write_ramp
from shared.domain.rollback.plan import Plan, Step, freeze_plan
from shared.engine.steps.documents import erase
from shared.ports.groups import Ports


class RepairSource(FrozenStruct):
    """What older versions are taken from."""

    database: str
    before: datetime | None
    """None: that database as it is now."""

    def __str__(self) -> str:
        if self.before is None:
            return f"the database {self.database}"
        return f"{self.before.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def find_repair_source(ports: Ports, policy: Policy, record: IntegrityRecord, said: str) -> RepairSource:
    """Return the named point, else the minute before the damage. Raises: Refused, Unavailable."""
    if said:
        return find_named_source(ports, policy, said)
    if not (record.open_findings and record.last_valid_at):
        raise Refused("no damage was found that is not over: say how old the data may be (restore_point)")
    return RepairSource(policy.integrity.database, record.last_valid_at)


def find_named_source(ports: Ports, policy: Policy, said: str) -> RepairSource:
    """Return the restore point of that name. Raises: Refused, Rejected, Unavailable."""
    database = policy.integrity.database
    available = restore_points.read_available_points(ports, policy, database)
    found = restore_point.resolve_restore_point(said, available)
    read = found.read_source(database)
    if read is None:
        takes = describe_copy_time(policy, found, available)
        raise Refused(f"restore_point: {found}: have it copied first ({takes}), and name the copy")
    return RepairSource(*read)


def begin_survey(
    ports: Ports, policy: Policy, select: DocumentSelection, at: datetime, source: RepairSource
) -> RepairPreview:
    """A survey of which nothing is looked through yet. Raises: Unavailable, Rejected."""
    database, documents = policy.integrity.database, ports.system(policy.system).documents
    roots = []
    if select.by is SelectionKind.ALL:
        roots += documents.collections(database, at)
        roots += documents.collections(source.database, source.before)
    scopes = repair_plan.selected_scopes(select, policy.collections, roots)
    calls = {
        str(scope): partial(documents.count, database, scope, at)
        for scope in scopes
        if scope != WHOLE_DATABASE  # which is not parted
    }
    counts = {name: require_answer(one) for name, one in call_all(ports, calls).items()}
    goals = []
    for scope in scopes:
        goal = RepairGoal(
            database, at, source.database, source.before, select, scope, policy=policy.fingerprint
        )
        pieces = min(
            repair_plan.MAX_STEPS_PER_COLLECTION, counts.get(str(scope), 0) // repair_plan.DOCUMENTS_PER_STEP
        )
        cuts = documents.partition_points(database, scope, at, pieces) if pieces > 1 else []
        goals += repair_plan.split_goal(goal, cuts)
    return RepairPreview(tuple(goals))


def advance_survey(
    ports: Ports, policy: Policy, survey: RepairPreview, expiries: Sequence[TtlField], seconds: float
) -> RepairPreview:
    """The survey after so many seconds, or over. Raises: Unavailable, Rejected."""
    began = ports.clock.monotonic()
    later = _advance_survey_until(ports, policy, survey, expiries, began + seconds)
    return replace(later, seconds=survey.seconds + ports.clock.monotonic() - began)


def _advance_survey_until(
    ports: Ports, policy: Policy, survey: RepairPreview, expiries: Sequence[TtlField], until: float
) -> RepairPreview:
    for number, goal in enumerate(survey.goals):
        known = survey.positions[:number]
        position = survey.positions[number] if number < len(survey.positions) else RepairPosition()
        if position.is_over:
            continue
        for batch in RepairSelector(ports, policy, goal, expiries).select_batches(position):
            position = repair_plan.advance_position(position, batch.pairs, batch.fated, is_last=batch.is_last)
            samples = repair_plan.add_samples(survey.samples, batch.fated)
            survey = replace(survey, positions=(*known, position), samples=samples)
            if ports.clock.monotonic() >= until:
                return survey
    return survey


def iterate_affected_documents(
    ports: Ports, policy: Policy, survey: RepairPreview
) -> Iterator[DocumentDecision]:
    """Read affected documents again, except of erased people. Raises: Unavailable, Rejected."""
    for goal in survey.goals:
        expiries = read_expiries(ports, policy, goal.database)
        for batch in RepairSelector(ports, policy, goal, expiries).select_batches(RepairPosition()):
            yield from (one for one in batch.fated if one.fate is not DocumentOutcome.ERASED)


class TriggeredTarget(FrozenStruct):
    """What is started by documents that are written."""

    name: str
    collection: str
    times: int
    """About so often: once by each document that becomes what its trigger hears of."""

    def __str__(self) -> str:
        count = f"{self.times} invocation{'' if self.times == 1 else 's'}"
        return f"{self.name}: about {count}, by writes to {self.collection}"


DocumentWriteCounts = Iterable[tuple[RepairGoal, Mapping[DocumentEvent, int]]]
"""Pieces in which documents are written, and how many become what in each."""


def find_triggered_targets(
    policy: Policy, writes: DocumentWriteCounts, facts: DecisionFacts
) -> list[TriggeredTarget]:
    """All that these documents start: functions, and what else has a trigger of Eventarc."""
    functions = facts.seen.function_states.values() if facts.seen is not None else ()
    hearing = facts.triggers if isinstance(facts.triggers, tuple) else ()
    besides = {name for name, one in policy.collections.items() if one.everywhere}
    times = Counter[tuple[str, str]]()
    for goal, changes in writes:
        for one in find_listeners(functions, hearing, goal.database, goal.scope, besides):
            heard = sum(number for change, number in changes.items() if one.is_notified_of(change))
            times[str(goal.scope), one.name] += heard
    return [TriggeredTarget(name, collection, number) for (collection, name), number in times.items()]


def find_trigger_obstacle(policy: Policy, starts: Iterable[TriggeredTarget]) -> str:
    """Which of that may not start; empty: the policy lets all start."""
    refused = [str(one) for one in starts if not _may_start_functions(policy, one.collection)]
    if not refused:
        return ""
    return (
        "`on_repair` of these collections does not allow a repair to start anything: "
        f"{text.join_names(refused)}"
    )


def find_unknown_trigger_reason(facts: DecisionFacts) -> str:
    """Why nobody knows what documents would start; empty: it is known."""
    if facts.seen is None or facts.seen.functions is None:
        return "which functions the documents would start could not be read"
    if not isinstance(facts.triggers, tuple):
        return f"which triggers of Eventarc hear of the documents is not known: {facts.triggers}"
    return ""


def build_repair_plan(
    policy: Policy, survey: RepairPreview, source: RepairSource, starts: list[TriggeredTarget], waited: float
) -> Plan | None:
    """Return the steps that restore what was found; None: nothing. `waited`: since detection."""
    steps = [
        Step(
            name=f"repair {number} {text.shorten(str(goal.scope).replace('/', '.'))}",
            kind=repair_plan.KIND,
            target=str(goal.scope),
            goal=encode(
                replace(
                    goal,
                    documents=position.seen,
                    starts=tuple(one.name for one in starts if one.collection == str(goal.scope)),
                )
            ),
            within_seconds=policy.execution.step_within.total_seconds(),
        )
        for number, (goal, position) in enumerate(zip(survey.goals, survey.positions, strict=True), 1)
        if count_written_documents(position.fates)
    ]
    if not steps:
        return None
    if policy.erasure is not None:
        steps.append(build_erasure_step(policy, steps))
    lines = _format_survey_lines(policy, survey, starts, waited)
    return freeze_plan(ScenarioName.DATABASE, str(source), steps, policy.fingerprint, lines)


def build_erasure_step(policy: Policy, steps: Iterable[Step]) -> Step:
    """The last step: whatever has become of the others, what they wrote is gone through again."""
    return Step(
        name="take out who was erased",
        kind=erase.KIND,
        target="who was erased",
        after=tuple(one.name for one in steps),
        despite_failed=True,
        despite_stopped=True,
        within_seconds=policy.execution.step_within.total_seconds(),
    )


def find_fence_duration_obstacle(policy: Policy, takes: timedelta) -> str:
    """Why no fence may be up as long as that takes; empty: one may, or none is needed."""
    rules = policy.fence
    if rules is None or rules.stands_within + takes <= rules.longest:
        return ""
    stands = f"it takes {describe_duration(rules.stands_within)} at most to stand"
    longest = f"a fence may be up for {describe_duration(rules.longest)} (fence.longest)"
    return f"{longest}, {stands}, and writing takes about {describe_duration(takes)}"


def format_fence_lines(policy: Policy) -> Iterator[str]:
    """What people read where documents are written behind a fence alone."""
    if policy.fence is not None:
        yield f"meanwhile nothing of {', '.join(policy.fence.writers)} writes: a fence is raised"


def count_written_documents(fates: Mapping[DocumentOutcome, int]) -> int:
    """How many documents are written."""
    return sum(fates.get(one, 0) for one in WRITTEN_OUTCOMES)


def count_undone_changes(fates: Mapping[DocumentOutcome, int]) -> int:
    """How many changes are undone that nothing is wrong with."""
    return sum(fates.get(one, 0) for one in UNDOING_OUTCOMES)


def survey_seconds(survey: RepairPreview) -> float:
    """Estimate the duration of the repair: no less than its survey took, and its writes take."""
    looked = max(survey.checked_documents / DOCUMENTS_PER_SECOND, survey.seconds)
    return max(looked, write_ramp.ramp_seconds(count_written_documents(survey.outcome_counts)))


def _format_survey_lines(
    policy: Policy, survey: RepairPreview, starts: Iterable[TriggeredTarget], waited: float
) -> Iterator[str]:
    yield str(forecast_documents(survey_seconds(survey), survey.checked_documents, policy).after(waited))
    outcomes = repair_plan.describe_outcomes(survey.outcome_counts)
    yield f"{text.count_noun(survey.checked_documents, 'document')} checked: {outcomes}"
    yield from format_fence_lines(policy)
    yield from map(str, starts)
    good = count_undone_changes(survey.outcome_counts)
    if good:
        yield f"{good} changes that nothing is wrong with would be undone"
    for fate in DocumentOutcome:
        yield from (f"{fate}: {one}" for one in survey.samples.get(fate, ()))


def count_document_writes(survey: RepairPreview) -> DocumentWriteCounts:
    """The pieces of it in which documents are written."""
    for goal, position in zip(survey.goals, survey.positions, strict=True):
        if count_written_documents(position.fates):
            yield goal, count_document_events(position.fates)


def count_document_events(fates: Mapping[DocumentOutcome, int]) -> Counter[DocumentEvent]:
    """How many documents become what."""
    found = Counter[DocumentEvent]()
    for fate, change in EVENT_BY_OUTCOME.items():
        found[change] += fates.get(fate, 0)
    return found


def _may_start_functions(policy: Policy, collection: str) -> bool:
    name = declared_collection_name(policy.collections, collection)
    return bool(name) and policy.collections[name].on_repair is OnRepair.FIRE
