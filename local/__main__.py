"""`python -m local`: the embedded cloud as a process of its own, with the responders on request."""

import argparse
import json
import math
import re
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from local.cloud import ADDRESS_NAMES, Cloud
from local.control.proxy import build_client_environment, write_authority
from local.core.clock import CloudClock
from local.faults import plan
from local.faults.plan import BadPlan
from local.installation.responder_processes import HOST, NotListening, Responders
from local.services.firestore import Concurrency
from shared.core.errors import BadConfiguration
from shared.domain.policy.system_policy import Policy
from shared.policy_files import loader

_PROJECT_ID_PATTERN = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
RESTART_CHECK_INTERVAL_SECONDS = 0.5
DEFAULT_POLICY = Path(__file__).parent.parent / "policies" / "cvplus.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; one line of JSON says where, once everything listens.

    Exit codes: 0 stopped by a signal, 1 a policy or a fault plan is refused (all faults on standard
    error), its folder or a port cannot be had, a responder does not start, or its project would be
    one below a domain, which names no bucket; 2 wrong arguments.
    """
    options = _options(arguments)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    files = options.policy or [DEFAULT_POLICY]
    try:
        policies = loader.load_policy_files(files)
    except BadConfiguration as refused:
        print(*refused.faults, sep="\n", file=sys.stderr)
        return 1
    home = options.project or next(iter(policies.values())).project
    if not _PROJECT_ID_PATTERN.fullmatch(home):
        print(f"{home} cannot be the responders' own project: --project says one", file=sys.stderr)
        return 1
    if taken := [f"{name}={port}" for name, port in options.port if not _is_port_free(port)]:
        print(f"somebody listens there already: {', '.join(taken)}", file=sys.stderr)
        return 1
    try:
        cloud = _start(list(policies.values()), options)
    except BadPlan as refused:
        print(*refused.faults, sep="\n", file=sys.stderr)
        return 1
    except OSError as failed:  # a folder that cannot be
        print(failed, file=sys.stderr)
        return 1
    try:
        with _folder(options.data) as folder:
            say = _describe(cloud, folder, environment=options.environment)
            return _serve(cloud, files if options.responders else (), say, stopping)
    finally:
        cloud.stop()


def _start(policies: Sequence[Policy], options: argparse.Namespace) -> Cloud:
    """Raises: BadPlan."""
    return Cloud.start(
        policies,
        seed=options.seed,
        data=options.data,
        clock=CloudClock(options.origin, options.scale),
        alerter=options.alerts,
        ticks=options.ticks,
        installation=options.installation,
        operations_project=options.project,
        ports=dict(options.port),
        concurrency=Concurrency(options.concurrency),
        point_in_time_recovery=options.point_in_time_recovery,
        faults=plan.load(options.faults) if options.faults else None,
        strict=options.strict,
    )


def _folder(data: Path | None) -> AbstractContextManager[str | Path]:
    """Where files for clients are: with the data, or as long as the cloud runs."""
    return nullcontext(data) if data else TemporaryDirectory(prefix="embedded-cloud-")


def _describe(cloud: Cloud, folder: str | Path, *, environment: bool) -> Callable[..., None]:
    """What prints every address, and on request the variables with which clients find them."""
    authority = write_authority(Path(folder), cloud.identity.connection_details()["certificate"])

    def say(**more: object) -> None:
        print(json.dumps({**cloud.addresses, "authority": str(authority), **more}), flush=True)
        if environment:
            variables = build_client_environment(cloud.addresses["proxy"], authority, cloud.home)
            print(
                *(f"export {name}={shlex.quote(it)}" for name, it in variables.items()), sep="\n", flush=True
            )

    return say


def _serve(
    cloud: Cloud, policy_files: Sequence[Path], say: Callable[..., None], stopping: threading.Event
) -> int:
    """Say where everything is, and wait; with policy files the responders run beside the cloud.

    One of them that dies is started again, as Google does.
    """
    if not policy_files:
        say()
        stopping.wait()
        return 0
    try:
        responders = Responders.start(cloud, policy_files)
    except NotListening as failed:
        print(failed, file=sys.stderr)
        return 1
    try:
        say(responders=responders.addresses)
        while not stopping.wait(RESTART_CHECK_INTERVAL_SECONDS):
            responders.restart_dead()
    except NotListening as failed:
        print(failed, file=sys.stderr)
        return 1
    finally:
        responders.stop()
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    add = parser.add_argument
    add("--policy", type=Path, action="append", help="a system to run; default policies/cvplus")
    add("--data", type=Path, help="folder that survives a restart; default: memory only")
    add("--origin", type=_moment, help="cloud time at the start, ISO 8601; default: now")
    add("--scale", type=_pace, default=1.0, help="cloud seconds per second; 0 stands still")
    add("--seed", type=int, default=0, help="decides rates, names and drawn answers")
    add("--project", type=_project, help="where clock ticks go; default: the first policy's project")
    add("--responders", action="store_true", help="run the functions of main.py beside it")
    add("--no-alerts", dest="alerts", action="store_false", help="evaluate no alert policies")
    add("--no-ticks", dest="ticks", action="store_false", help="publish no clock ticks")
    add("--no-installation", dest="installation", action="store_false", help="without what Terraform makes")
    add("--concurrency", choices=list(Concurrency), default=Concurrency.PESSIMISTIC, help="Firestore's")
    add("--point-in-time-recovery", action="store_true", help="Firestore keeps seven days readable")
    add("--strict", action="store_true", help="APIs are off until somebody switches them on")
    add("--faults", type=Path, metavar="FILE", help="a fault plan (docs/embedded-cloud.md)")
    add("--environment", action="store_true", help="print the variables that lead clients to its proxy")
    add("--port", type=_port, action="append", default=[], metavar="NAME=PORT")
    return parser.parse_args(arguments)


def _moment(text: str) -> datetime:
    """A time; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as wrong:
        said = f"'{text}' is no time such as 2026-03-02T12:00:00Z"
        raise argparse.ArgumentTypeError(said) from wrong
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _pace(text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = math.nan
    if not math.isfinite(pace):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds")
    if pace < 0:
        raise argparse.ArgumentTypeError("time cannot run backwards")
    return pace


def _project(text: str) -> str:
    if not _PROJECT_ID_PATTERN.fullmatch(text):
        said = f"'{text}' is no project's id: 6 to 30 lower-case letters, digits and -"
        raise argparse.ArgumentTypeError(said)
    return text


def _is_port_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def _port(text: str) -> tuple[str, int]:
    name, _, port = text.partition("=")
    if name not in ADDRESS_NAMES:
        raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(ADDRESS_NAMES)}")
    if not port.isdecimal() or int(port) not in range(1 << 16):
        raise argparse.ArgumentTypeError(f"'{port}' is no port")
    return name, int(port)


if __name__ == "__main__":
    sys.exit(main())
