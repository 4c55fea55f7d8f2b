"""Checks of the signals of one system: counts, probes and alerts."""

from http import HTTPStatus

from cli.doctor.finding import Findings, doubtful, name_first, require_read, unknown, unread, well, wrong
from cli.doctor.system.facts import COUNT_WINDOW, SystemFacts
from cli.support.output import format_lasting
from shared.core.errors import Rejected, RollbackError
from shared.core.text import count_noun
from shared.domain.policy.scenario_names import ScenarioName
from shared.domain.signals.declared_checks import should_count_sign_ins
from shared.domain.signals.probe_history import is_fresh
from shared.domain.signals.probe_signals import probes_by_signal

REQUEST_LOG = "monitoring.requestLogging.enabled"
"""Of Identity Platform's configuration."""
SIGN_IN = "authentication_failure"
"""The signal that is counted in that log."""


def check_request_counts(facts: SystemFacts) -> Findings:
    """Whether the routers' counts arrive."""
    name = facts.policy.project
    total = sum(one.total for one in require_read(facts.requests, name).values())
    if total:
        yield well(name, f"{count_noun(total, 'request')} counted within {format_lasting(COUNT_WINDOW)}")
    else:
        why = f"no request was counted within {format_lasting(COUNT_WINDOW)}: decisions have no counts"
        yield doubtful(name, why, "check that there is traffic")


def check_sign_ins(facts: SystemFacts) -> Findings:
    """Whether sign-ins are counted, where a verification needs their failures."""
    if not should_count_sign_ins(facts.policy, ScenarioName.AUTH):
        return
    name = facts.policy.project
    found = require_read(facts.sign_ins, name)
    if found.total:
        yield well(name, f"{found.total} were counted within a day, {found.failed} of them failed")
    else:
        why = "none was counted within a day: an auth rollback cannot be verified"
        yield doubtful(name, why, "check that people sign in, request logging is on, and the counter exists")


def check_request_log(facts: SystemFacts) -> Findings:
    """Whether failed sign-ins are counted, where a signal needs that."""
    policy, identity = facts.policy, facts.rest.identity
    if SIGN_IN not in policy.signals or not policy.resources.identity or identity is None:
        return
    name = policy.project
    if identity.get(REQUEST_LOG) is True:
        yield well(name, "Identity Platform logs its requests")
    else:
        why = f"Identity Platform logs no requests: {SIGN_IN} never fires"
        yield doubtful(name, why, f"enable {REQUEST_LOG}")


def check_probes(facts: SystemFacts) -> Findings:
    """How each probe is answered."""
    for name, answer in facts.probes.items():
        if isinstance(answer, RollbackError):
            yield unread(name, answer)
        elif not answer.passed:
            yield wrong(name, answer.outcome, "an incident, or a wrong probe in the policy")
        elif HTTPStatus.MULTIPLE_CHOICES <= (answer.status or HTTPStatus.OK) < HTTPStatus.BAD_REQUEST:
            why = f"it redirects ({answer.status}), and an uptime check follows the redirect"
            yield doubtful(name, why, "name the final address: see docs/unverified.md")
        else:
            yield well(name, f"{answer.status}, {answer.seconds:.1f} s")


def check_alert_ids(facts: SystemFacts) -> Findings:
    """Whether alerts can be read back by the ids in their notifications."""
    name = facts.policy.project
    if isinstance(facts.read_back, Rejected):
        why = f"the newest alert cannot be read back by its id: {facts.read_back}"
        yield doubtful(name, why, "see docs/unverified.md: incidents by alerts alone hold, then escalate")
        return
    is_open = require_read(facts.read_back, name)
    if is_open is None:
        yield unknown(name, "no alert of Cloud Monitoring was stored yet: nothing to read back")
    else:
        yield well(name, f"the newest alert is {'open' if is_open else 'closed'}, by its own id")


def check_probe_history(facts: SystemFacts) -> Findings:
    """Whether the clock sees what the probes show."""
    asked = [probe.name for probes in probes_by_signal(facts.policy).values() for probe in probes]
    if not asked:
        return
    name = facts.policy.system
    found = require_read(facts.looks, name).looks
    if stale := [one for one in asked if not is_fresh(found.get(one, ()), facts.now)]:
        why = f"the clock has not seen the answer of {name_first(stale)} within a minute"
        yield doubtful(name, why, "can on_clock reach these addresses? read its log")
    else:
        yield well(name, f"on_clock reads {count_noun(len(asked), 'probe')} each half minute")
