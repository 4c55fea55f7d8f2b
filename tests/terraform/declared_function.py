"""One function as Google shows it, run as a process of this machine.

Played are its source, environment, secrets, concurrency, timeout and memory. Only Google can play
its CPU, its number of instances and its ingress. What is declared beside them is a fault.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.installation.responder_processes import free_port

PLAYED = frozenset(
    (
        "availableMemory",
        "environmentVariables",
        "maxInstanceRequestConcurrency",
        "secretEnvironmentVariables",
        "serviceAccountEmail",
        "timeoutSeconds",
        "uri",
    )
)
"""Fields of `serviceConfig`; of the account, `runtime_accounts` compares the grants."""
NOT_PLAYED = frozenset(
    (
        "allTrafficOnLatestRevision",
        "availableCpu",
        "ingressSettings",
        "maxInstanceCount",
        "revision",
        "service",
    )
)
LOG = "responders.log"
"""What all of them print, in the folder that they were started with."""
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

AccessSecret = Callable[[str], str]
"""The value of `projects/P/secrets/S/versions/V`."""


class RunningFunction:
    """A function that runs as declared, until somebody kills its `process`."""

    def __init__(self, function: Mapping[str, Any], process: subprocess.Popen[bytes], address: str) -> None:
        self.entry_point: str = function["buildConfig"]["entryPoint"]
        self.host = urlsplit(function["serviceConfig"]["uri"]).hostname or ""
        self.process = process
        self.address = address
        """`127.0.0.1:port`."""
        self.memory_limit_bytes = parse_memory(function["serviceConfig"]["availableMemory"])

    def measure_peak_bytes(self) -> int:
        """The most memory that its processes have had resident; what they share counts for each."""
        found = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(folder.name)) == self.process.pid:
                    [peak] = re.findall(r"^VmHWM:\s+(\d+) kB$", (folder / "status").read_text(), re.M)
                    found += int(peak) * 1024
            except (OSError, ValueError):  # it has ended
                continue
        return found


def start_function(
    function: Mapping[str, Any],
    source: Path,
    environment: Mapping[str, str],
    folder: Path,
    access_secret: AccessSecret,
) -> RunningFunction:
    """Start a function from its unpacked source; `environment` is that of the machine.

    `folder` gets its log and gunicorn's control socket. Raises: AssertionError for a declared field
    that is not played.
    """
    build, service = function["buildConfig"], function["serviceConfig"]
    assert not (unknown := service.keys() - PLAYED - NOT_PLAYED), f"nothing plays {sorted(unknown)}"
    address = f"127.0.0.1:{free_port()}"
    framework = ("--source", "main.py", "--signature-type", "http", "--target", build["entryPoint"])
    own = folder / "run" / build["entryPoint"]
    own.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", "functions_framework", *framework, "--port", address.rpartition(":")[2]],
            cwd=source,
            env={
                **environment,
                **dict(build_environment(service, access_secret)),
                "XDG_RUNTIME_DIR": str(own),
            },
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    running = RunningFunction(function, process, address)
    # Of each process, inherited by the worker. RLIMIT_AS would count address space: a worker
    # reserves 0.7 to 1.4 GiB, and uses 160 MiB. RLIMIT_DATA counts what it may write: 250 MiB.
    limit = running.memory_limit_bytes
    resource.prlimit(process.pid, resource.RLIMIT_DATA, (limit, limit))
    return running


def build_environment(service: Mapping[str, Any], access_secret: AccessSecret) -> Iterator[tuple[str, str]]:
    """Yield the variables of a `serviceConfig`, and those that give the framework its limits.

    At the timeout a worker of one thread is killed; in one of several, the request ends at its next
    instruction of Python.
    """
    yield from service.get("environmentVariables", {}).items()
    for one in service.get("secretEnvironmentVariables", ()):
        version = f"projects/{one['projectId']}/secrets/{one['secret']}/versions/{one['version']}"
        yield one["key"], access_secret(version)
    yield "THREADS", str(service["maxInstanceRequestConcurrency"])
    yield "CLOUD_RUN_TIMEOUT_SECONDS", str(service["timeoutSeconds"])
    yield "THREADED_TIMEOUT_ENABLED", "true"


def parse_memory(quantity: str) -> int:
    """Return the bytes of a quantity as Kubernetes writes it. Raises: KeyError, ValueError."""
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]*)", quantity).groups()  # type: ignore[union-attr]
    return int(float(number) * _UNITS[unit])
