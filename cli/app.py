"""The `rollback` command: the registry of its commands; exit codes: cli/support/exit_codes.py."""

from collections.abc import Callable
from typing import Annotated

import typer

from cli import identity
from cli.act import answers, copy, pins, policy, replay, run
from cli.doctor.command import doctor
from cli.look import (
    audit,
    backtest,
    backups,
    deploy_lock,
    deployments,
    explain,
    report,
    restore_points,
    status,
)
from cli.offline import cost, parse
from cli.support.command_sending import without_sign_in
from cli.support.parameters import flag
from cli.switches import switches, upkeep

COMMANDS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {
    "Look": {
        "status": status.status,
        "contacts": status.contacts,
        "watch": explain.watch,
        "explain": explain.explain,
        "report": report.report,
        "backtest": backtest.backtest,
        "pins": pins.pins,
        "backups": backups.backups,
        "restore-points": restore_points.restore_points,
        "documents": restore_points.documents,
        "deploy-lock": deploy_lock.deploy_lock,
        "doctor": doctor,
        "deployments": deployments.deployments,
        "audit": audit.audit,
        "cost": cost.cost,
    },
    "Act": {
        "run": run.run,
        "approve": answers.approve,
        "reject": answers.reject,
        "cancel": answers.cancel,
        "retry": run.retry,
        "undo": pins.undo,
        "accept": answers.accept,
        "ack": answers.ack,
        "publish": answers.publish,
        "root-cause": answers.root_cause,
        "mark": answers.mark,
        "hold": answers.hold,
        "release": answers.release,
        "unpin": pins.unpin,
        "unplan": switches.unplan,
        "copy": copy.copy,
        "erase": copy.erase,
    },
    "Emergency": {"breach": switches.breach, "revoke-sessions": switches.revoke_sessions},
    "Switches": {
        "pause": switches.pause,
        "resume": switches.resume,
        "freeze": switches.freeze,
        "unfreeze": switches.unfreeze,
        "promote": switches.promote,
        "fence": switches.fence,
        "lift-fence": switches.lift_fence,
    },
    "Upkeep": {
        "drill": upkeep.drill,
        "notify": upkeep.notify,
        "check": upkeep.check,
        "regenerate": upkeep.regenerate,
    },
    "Who you are": {
        "enrol": identity.enrol,
        "login": identity.login,
        "logout": identity.logout,
        "token": identity.token,
        "sign": identity.sign,
        "fingerprint": identity.fingerprint_of,
    },
    "Files and messages": {"parse": parse.parse, "replay": replay.replay, "policy": policy.policy},
}
"""Each command by its name, in the group under which the help lists it."""

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)


@app.callback()
def rollback(
    sign_in_is_down: Annotated[
        bool,
        flag(
            "--without-sign-in",
            "for the day when sign-in is down: publish on rollback-override, where IAM alone decides who may",
        ),
    ] = False,
) -> None:
    """Emergency rollback of Firebase applications.

    Every command finds the responders by GOOGLE_CLOUD_PROJECT (and ROLLBACK_POLICIES, the folder of
    the policy files). Commands that only read need read-only rights. A change is a command to the
    responders, signed by the person who has signed in; `policy publish` writes to Cloud Storage.

    Exit codes: 0 done, 1 refused or failed, 2 invalid usage or settings, 3 no answer, 130 Ctrl-C.
    """
    without_sign_in.set(sign_in_is_down)


def _register_commands() -> None:
    for group, commands in COMMANDS.items():
        for name, command in commands.items():
            if isinstance(command, typer.Typer):
                app.add_typer(command, name=name, rich_help_panel=group)
            else:
                app.command(name, rich_help_panel=group)(command)


_register_commands()
