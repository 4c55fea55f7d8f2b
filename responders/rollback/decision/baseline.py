"""How it was in the hour before the trouble, recorded when a rollback is decided."""

from __future__ import annotations

from functools import partial

from responders.rollback.case import Case
from responders.support.parallel_calls import ANSWER_SECONDS, ask_all, or_none
from shared.core.codec import decode
from shared.domain.decision.facts import Facts
from shared.domain.decision.gate_evaluation import Decision
from shared.domain.deployments.deployment import by_function
from shared.domain.signals import baseline, probe_signals
from shared.domain.signals.baseline import Baseline
from shared.domain.signals.probe_signals import ProbeRecord


def recall(case: Case, facts: Facts, decision: Decision) -> Baseline:
    """What routers and probes saw of the plan's functions; what gives no answer is not known.

    Of the probes half an hour is kept, so of that hour the last part.
    """
    onset = facts.onset if facts.alerts else case.now()
    window = baseline.before(onset, decision.change.functions.values())
    ports, system = case.ports, case.policy.system
    case.hold_for(ANSWER_SECONDS)
    answers = ask_all(
        ports,
        {
            "metrics": partial(ports.system(system).metrics.requests, *window),
            "probes": partial(ports.store.get, probe_signals.probes_path(system)),
        },
    )
    counted, probes = or_none(answers["metrics"]), or_none(answers["probes"])
    looks = decode(ProbeRecord, probes.fields).looks if probes and probes.fields is not None else {}
    requests = None
    if counted is not None:
        everything = by_function(counted, facts.inventory or {})
        requests = {name: one for name, one in everything.items() if name in decision.scope}
    return baseline.recorded(window, requests, looks)
