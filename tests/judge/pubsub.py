"""Google's system tests of the Pub/Sub client against the embedded Pub/Sub."""

import os
import subprocess
import sys
from pathlib import Path

from google.iam.v1 import iam_policy_pb2
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from local.core import grpc_services
from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.pubsub import PubSub
from tests.judge.suite import CACHE, Verdict, fetch, run

PACKAGE, VERSION = "google-cloud-pubsub", "2.44.0"
TOOLS = ("flaky==3.8.1", "psutil==7.2.2", "google-cloud-testutils==1.10.1")
"""What the suite imports beyond the client; kept in the cache, out of the project's environment."""
SIDE_BY_SIDE = ("--numprocesses", "5")
"""Its tests sleep for two minutes in all, one of them for one by itself, and share no names."""
LEAST_PASSED = 16
"""The others want roles of a service account, which the suite skips without one."""

CONFTEST = '''\
"""No credentials: whoever asks for the default ones is anonymous."""

import google.auth
from google.auth.credentials import AnonymousCredentials


def pytest_configure(config):
    google.auth.default = lambda *args, **kwargs: (AnonymousCredentials(), "judged")
'''


def judge() -> Verdict:
    """Run the suite, but for REST, against a fresh Pub/Sub of its own; about a minute."""
    folder = fetch(PACKAGE, VERSION) / "tests"
    (folder / "conftest.py").write_text(CONFTEST)
    faults = FaultHooks()
    pubsub = PubSub(CloudClock(), Journal(), faults)
    services = {
        PublisherGrpcTransport: pubsub.publisher,
        SubscriberGrpcTransport: pubsub.subscriber,
        iam_policy_pb2.DESCRIPTOR.services_by_name["IAMPolicy"]: pubsub.policy,
    }
    server, address = grpc_services.serve(services, faults)
    try:
        environment = {"PUBSUB_EMULATOR_HOST": address, "PYTHONPATH": str(_tools())}
        return run(folder, ["system.py", "-k", "not rest", *SIDE_BY_SIDE], environment)
    finally:
        server.stop(grace=None).wait()
        pubsub.close()


def is_good(verdict: Verdict) -> bool:
    """Whether enough passed, and nothing failed."""
    return len(verdict.passed) >= LEAST_PASSED and not verdict.failed


def _tools() -> Path:
    """The folder with the suite's tools, filled from the package index once.

    Raises: CalledProcessError when the index does not give them.
    """
    folder = CACHE / "pubsub-tools"
    if not folder.is_dir():
        options = ["--quiet", "--no-deps", "--target", os.fspath(folder)]
        install = [sys.executable, "-m", "pip", "install", *options, *TOOLS]
        subprocess.run(install, check=True)  # noqa: S603 - arguments are ours
    return folder
