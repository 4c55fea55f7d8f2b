"""`rollback report`: what was seen, decided and done, beside the targets, and what to review."""

import json
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli.support.command_sending import Incident
from cli.support.context import open_operations
from cli.support.exit_codes import INVALID_USAGE, create_exit
from cli.support.output import AsJson
from cli.support.parameters import flag, option
from responders.rollback.report_filing import count_impact
from shared.domain.reports.html import render_html
from shared.domain.reports.impact import ImpactCounts
from shared.domain.reports.markdown import render_markdown
from shared.domain.reports.report import build_report
from shared.state.audit_reader import AuditReader
from shared.state.report_source import gather_report_facts


def report(
    incident: Incident,
    output: Annotated[Path | None, option("FILE", "default: standard output", "-o", "--output")] = None,
    as_html: Annotated[bool, flag("--html", "one file for a browser, with charts of the times")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the report of an incident, as Markdown: overrides to review, time line, times, pins.

    It contains the facts that are recorded so far, and names the missing ones. It changes nothing.

    Exit code 0; 1 when there is no such incident; 2 when the file or the settings are invalid;
    3 when a service gives no answer.
    """
    with open_operations() as ours:
        record, now = ours.incident(incident), ours.wiring.clock.now()
        policy, filed = ours.policy(record.system), ours.reading.filed_report(incident)
        known = filed.counts if filed is not None else ImpactCounts()
        counts = count_impact(ours.wiring, policy, record, known, now)
        trail = AuditReader(ours.wiring.store, None)
        made = build_report(gather_report_facts(ours.reading, trail, policy, record, now, counts))
    if as_json:
        text = json.dumps(msgspec.to_builtins(made), indent=2, ensure_ascii=False) + "\n"
    else:
        text = render_html(made) if as_html else render_markdown(made)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise create_exit(INVALID_USAGE, f"{output}: {error.strerror}") from error
    typer.echo(f"the report of {incident} is in {output}", err=True)
