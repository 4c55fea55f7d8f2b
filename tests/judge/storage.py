"""Google's Go suite of the Storage client against the embedded Cloud Storage; needs Go."""

import json
import os
import re
import subprocess
from pathlib import Path

from local.core.clock import CloudClock
from local.core.journal import Journal
from local.faults.hooks import FaultHooks
from local.services.storage import Buckets, StorageServer, StorageService
from tests.judge.suite import CACHE, RUN_LIMIT_SECONDS, Verdict

MODULE = "cloud.google.com/go/storage@v1.70.0"
LEAST_PASSED = 21
NOT_SERVED = "ACL|Notification|Compose|HMACKey|BucketConditions|ObjectConditions"
"""Whole tests of it, and one case each of the two last (composing; a lock without a retention)."""
LEFT_OUT = "Retry|Timeout|Stall|BufferReuse|ReadCodec|WrongCh|GRPC|MRD|MultiRange|Appendable|Unfinalized"
"""What the suite asks of its own test bench alone, and what it asks over gRPC."""
NOBODY = "127.0.0.1:1"
"""The suite runs when both addresses are named; nothing is asked over gRPC."""


def judge() -> Verdict:
    """Build the suite (minutes, the first time), and run it against a fresh Cloud Storage."""
    test = _build()
    server = StorageServer(StorageService(Buckets(CloudClock(), Journal())), FaultHooks())
    there = {"STORAGE_EMULATOR_HOST": f"http://{server.address}", "STORAGE_EMULATOR_HOST_GRPC": NOBODY}
    try:
        done = subprocess.run(  # noqa: S603 - arguments are ours
            [test, "-test.run", "Emulated/http", "-test.skip", LEFT_OUT, "-test.short", "-test.v"],
            cwd=test.parent,
            env={**os.environ, **there},
            timeout=RUN_LIMIT_SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        server.close()
    verdict = read_go_output(done.stdout)
    if not verdict.passed and not verdict.failed:
        raise RuntimeError(f"no test ran:\n{done.stdout}\n{done.stderr}")
    return verdict


def is_good(verdict: Verdict) -> bool:
    """Whether enough passed, and nothing failed but what is not served."""
    return len(verdict.passed) >= LEAST_PASSED and all(re.search(NOT_SERVED, it) for it in verdict.failed)


def read_go_output(output: str) -> Verdict:
    """The verdict in what `go test -v` prints of the tests over HTTP."""
    outcomes: dict[str, set[str]] = {"PASS": set(), "FAIL": set(), "SKIP": set()}
    for outcome, name in re.findall(r"^    --- (PASS|FAIL|SKIP): (\w+)/http ", output, re.MULTILINE):
        outcomes[outcome].add(name)
    skipped = {"of the suite's own": len(outcomes["SKIP"])} if outcomes["SKIP"] else {}
    return Verdict(frozenset(outcomes["PASS"]), frozenset(outcomes["FAIL"]), skipped)


def _build() -> Path:
    """The suite as a program, built once. Raises: CalledProcessError, FileNotFoundError (no Go)."""
    test = CACHE / f"{MODULE.replace('/', '-')}.test"
    if not test.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        download = ["go", "mod", "download", "-json", MODULE]
        fetched = subprocess.run(download, cwd=CACHE, check=True, capture_output=True)  # noqa: S603 - ours
        folder = json.loads(fetched.stdout)["Dir"]
        subprocess.run(["go", "test", "-C", folder, "-c", "-o", test, "."], check=True)  # noqa: S603, S607
    return test
