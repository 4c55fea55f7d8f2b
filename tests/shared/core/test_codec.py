"""Values decoded by many threads at once, of kinds that none of them has met before."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from shared.policy_files import loader

ROOT = Path(__file__).parent.parent.parent.parent
CVPLUS = loader.load_policy(ROOT / "policies" / "cvplus.yaml")
AT_ONCE = """
import os, sys
from threading import Barrier, Thread

import msgspec

from shared.core import codec
from shared.domain.policy.system_policy import Policy

said = sys.stdin.buffer.read()
decode, encode = {
    "from_json": (codec.from_json, msgspec.json.encode),
    "from_msgpack": (codec.from_msgpack, msgspec.msgpack.encode),
    "from_builtins": (codec.from_builtins, lambda value: value),
}[sys.argv[1]]
whole = codec.from_json(said)
fields = [field for field in msgspec.structs.fields(Policy) if field.encode_name in whole]
parts = [(encode(whole[field.encode_name]), field.type) for field in fields]
asked = [(encode(whole), Policy)] * 8 + parts
looks = [codec.type_info, codec.json_schema] * 4

def first_decoded():
    together, found = Barrier(len(asked) + len(looks)), []
    def look(at):
        together.wait()
        at(Policy)
    def one(value, kind):
        together.wait()
        found.append(decode(value, kind))
    threads = [Thread(target=one, args=each) for each in asked]
    threads += [Thread(target=look, args=(at,)) for at in looks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    policies = [value for value in found if isinstance(value, Policy)]
    assert [msgspec.json.encode(value) for value in policies] == [said] * 8

sys.setswitchinterval(1e-6)
for _ in range(20):
    if not (child := os.fork()):
        first_decoded()
        sys.exit()
    if status := os.waitpid(child, 0)[1]:
        sys.exit(f"ended with {os.waitstatus_to_exitcode(status)}")
"""
"""A policy by eight threads, each of its fields by one of its own, and eight look at its kind."""


@pytest.mark.slice
@pytest.mark.parametrize("way", ["from_json", "from_msgpack", "from_builtins"])
def test_a_kind_and_the_kinds_within_it_are_first_decoded_by_all_threads_at_once(way: str) -> None:
    """Each reads what was said; none meets what msgspec has half learnt, which kills a process."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", AT_ONCE, way],
        cwd=ROOT,
        env={},
        input=msgspec.json.encode(CVPLUS),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
