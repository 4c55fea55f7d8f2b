"""Runs the stages of a sweep one after the other: a failure of one never stops the next."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress

from responders.support.dead_letters import create_once
from shared.core import log
from shared.core.errors import RollbackError
from shared.core.text import cut_reason
from shared.domain.audit.chain import create_event
from shared.domain.audit.system_chain import event_write
from shared.domain.system_record import ALL_SYSTEMS
from shared.ports.groups import Ports

STAGE_FAILED_EVENT = "sweep.stage-failed"


class StageRunner:
    """Runs a stage and reports its failure in the log and, once an hour, in the audit log.

    The alert policy on errors of the responders (terraform/self_alerts.tf) notifies people.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def run(self, stage: str, work: Callable[[], object]) -> None:
        """Return when the stage has ended, whether it succeeded or failed."""
        try:
            work()
        except Exception as failure:
            fault = cut_reason(f"{type(failure).__name__}: {failure}")
            message = "a stage of the sweep failed; the others go on"
            fields = {"stage": stage, "fault": fault, "stack_trace": traceback.format_exc()}
            log.write("ERROR", message, event=STAGE_FAILED_EVENT, **fields)
            with suppress(RollbackError):  # the store may be what failed: the log has it
                self._record(stage, fault)

    def _record(self, stage: str, fault: str) -> None:
        now = self._ports.clock.now()
        failed = create_event(STAGE_FAILED_EVENT, now, "on_clock", stage=stage, fault=fault)
        key = f"{STAGE_FAILED_EVENT}:{stage}:{now:%Y%m%dT%H}"
        create_once(self._ports, event_write(ALL_SYSTEMS, key, failed))
