"""Google's system tests of the Firestore client against the embedded Firestore."""

from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport

from local.core import grpc_services
from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.firestore import Concurrency, FirestoreService
from tests.judge.suite import Verdict, fetch, run

PACKAGE, VERSION = "google-cloud-firestore", "2.34.1"
LEAST_PASSED = 125
"""The others are skipped by the suite itself where it sees an emulator."""

ENTERPRISE_ONLY = frozenset(
    {
        "test_system.py::test_bson_regex_invalid_options[enterprise-db-native]",
        "test_system.py::test_bson_query_ordering[enterprise-db-native]",
    }
)
"""BSON types are of the Enterprise edition, which the embedded Firestore is not."""


def judge(concurrency: Concurrency) -> Verdict:
    """Run the suite against a fresh Firestore of its own."""
    folder = fetch(PACKAGE, VERSION) / "tests" / "system"
    service = FirestoreService(CloudClock(), Journal(), concurrency)
    server, address = grpc_services.serve({FirestoreGrpcTransport: service}, FaultHooks())
    try:
        environment = {"FIRESTORE_EMULATOR_HOST": address, "GCLOUD_PROJECT": "judged"}
        return run(folder, ["test_system.py"], environment)
    finally:
        server.stop(grace=None).wait()


def is_good(verdict: Verdict) -> bool:
    """Whether enough passed, and nothing failed but what is of the Enterprise edition."""
    return len(verdict.passed) >= LEAST_PASSED and verdict.failed <= ENTERPRISE_ONLY
