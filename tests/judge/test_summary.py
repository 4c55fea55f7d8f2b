"""What the judge reads in pytest's short summary, and in the output of Go's tests."""

from tests.judge.storage import read_go_output
from tests.judge.suite import read_summary

SUMMARY = """\
..Fs
=========================== short test summary info ============================
PASSED test_system.py::test_one
PASSED test_system.py::test_torn_down_badly
SKIPPED [12] test_system.py:71: Require index and seed data
SKIPPED [3] test_system.py:71: Require index and seed data
SKIPPED [1] ../elsewhere/system.py:774: Requires Kokoro environment
FAILED test_system.py::test_two[native] - assert 1 == 2
ERROR test_system.py::test_torn_down_badly - ValueError
"""


def test_summary_is_read_whole() -> None:
    """Every outcome counts once, an error spoils a pass, and what is skipped has its reason."""
    verdict = read_summary(SUMMARY)

    assert verdict.passed == {"test_system.py::test_one"}
    assert verdict.failed == {"test_system.py::test_two[native]", "test_system.py::test_torn_down_badly"}
    assert verdict.skipped == {"Require index and seed data": 15, "Requires Kokoro environment": 1}
    assert "skipped 15: Require index and seed data" in str(verdict)


def test_what_go_prints_is_counted_by_test() -> None:
    """Those over HTTP: not their cases, not the test around them."""
    output = """\
=== RUN   TestOneEmulated/http
    --- PASS: TestOneEmulated/http (0.01s)
--- PASS: TestOneEmulated (0.01s)
    --- SKIP: TestTwoEmulated/http (0.00s)
    --- FAIL: TestACLEmulated/http (0.00s)
        --- FAIL: TestACLEmulated/http/case (0.00s)
"""

    verdict = read_go_output(output)

    assert set(verdict.passed) == {"TestOneEmulated"}
    assert set(verdict.failed) == {"TestACLEmulated"}
    assert str(verdict).splitlines()[0] == "1 passed, 1 failed, 1 skipped"
