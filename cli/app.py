"""The `rollback` command, verb by verb; cli/support/context.py lists the exit codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from cli import identity
from cli.act.answers import (
    accept,
    ack,
    approve,
    cancel,
    hold,
    publish,
    reject,
    release,
    retry,
    root_cause,
)
from cli.act.copy import copy
from cli.act.pins import pins, undo, unpin
from cli.act.run import run
from cli.doctor.command import doctor
from cli.look.audit import audit
from cli.look.backups import backups
from cli.look.deploy_lock import deploy_lock
from cli.look.deployments import deployments
from cli.look.documents import documents
from cli.look.explain import explain
from cli.look.report import report
from cli.look.restore_points import restore_points
from cli.look.status import status
from cli.look.watch import watch
from cli.offline.parse import parse
from cli.offline.policy import policy
from cli.offline.replay import replay
from cli.support.publishing import without_sign_in
from cli.switches.fence import fence, lift_fence
from cli.switches.switches import (
    breach,
    freeze,
    pause,
    promote,
    resume,
    revoke_sessions,
    unfreeze,
    unplan,
)
from cli.switches.upkeep import check, drill, erase, notify, regenerate

LOOK, ACT, SWITCH, CHECK = "Look", "Act", "Switches", "Files and messages"
SIGN_IN = "Who you are"

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)


@app.callback()
def rollback(
    sign_in_is_down: Annotated[
        bool,
        typer.Option(
            "--without-sign-in",
            help="for the day when sign-in is down: commands go to rollback-override, where IAM "
            "alone says who may publish",
        ),
    ] = False,
) -> None:
    """Emergency rollback of Firebase applications.

    Every verb finds the responders by GOOGLE_CLOUD_PROJECT (and ROLLBACK_POLICIES, the folder of
    the policy files). Looking needs read-only rights; every change is a command to the responders,
    signed as whoever has signed in.

    Exit codes: 0 done, 1 the answer is no, 2 not usable as given, 3 no answer, 130 Ctrl-C.
    """
    without_sign_in.set(sign_in_is_down)


VERBS: dict[str, tuple[Callable[..., None], ...]] = {
    LOOK: (
        status,
        watch,
        explain,
        report,
        pins,
        backups,
        restore_points,
        documents,
        deploy_lock,
        doctor,
    ),
    ACT: (
        run,
        approve,
        reject,
        cancel,
        retry,
        undo,
        accept,
        ack,
        publish,
        root_cause,
        hold,
        release,
        unpin,
        unplan,
        copy,
        erase,
    ),
    SWITCH: (
        breach,
        revoke_sessions,
        pause,
        resume,
        freeze,
        unfreeze,
        promote,
        drill,
        notify,
        check,
        regenerate,
        fence,
        lift_fence,
    ),
    SIGN_IN: (identity.enrol, identity.login, identity.logout, identity.token, identity.sign),
    CHECK: (parse, replay),
}
for panel, verbs in VERBS.items():
    for verb in verbs:
        app.command(rich_help_panel=panel)(verb)
app.command("fingerprint", rich_help_panel=SIGN_IN)(identity.fingerprint_of)
app.add_typer(deployments, name="deployments", rich_help_panel=LOOK)
app.add_typer(audit, name="audit", rich_help_panel=LOOK)
app.add_typer(policy, name="policy", rich_help_panel=CHECK)
