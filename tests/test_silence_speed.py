"""What comes in a silence, by the thousand, over gRPC to an embedded Pub/Sub."""

from __future__ import annotations

import pytest

from benchmarks import silence


def test_each_of_ours_is_heard_once_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """However many pulls it takes; the application's own wait afterwards."""
    assert silence.run(3000)
    assert capsys.readouterr().out.startswith("3000 events of ours and 300 others")
