"""The real Terraform and Google's provider, which apply every example to the embedded cloud."""

from tests.judge.suite import Verdict
from tests.terraform import applies
from tests.terraform.conftest import EXAMPLES


def judge() -> Verdict:
    """Apply each example and remove it again (15 minutes); the first step that fails ends it."""
    passed: set[str] = set()
    failed: set[str] = set()
    for example in EXAMPLES:
        try:
            passed.update(applies.play(example))
        except AssertionError as fault:
            failed.add(f"{example}: {fault}")
    return Verdict(frozenset(passed), frozenset(failed), {})


def is_good(verdict: Verdict) -> bool:
    """Whether every step of every example is as it must be."""
    return not verdict.failed
