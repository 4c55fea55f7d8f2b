from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.core import topics
from shared.core.errors import Ambiguous, RollbackError, Throttled, Unavailable
from tests.support.fakes.runtime.hooks import no_hook, raise_error
from tests.support.runtime.entry_points import (
    EntryPointPorts,
    build_alert_push,
    build_push,
    post_to_entry_point,
    start_instance,
)
from tests.support.runtime.world import BOOKSHOP


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntryPointPorts]:
    with start_instance(monkeypatch) as ports:
        yield ports


@pytest.mark.parametrize(
    "error", [Unavailable("503"), Ambiguous("no answer"), Throttled("429", timedelta(seconds=1))]
)
@pytest.mark.parametrize("verb", ["store.get", "store.commit", "bus.publish"])
def test_what_could_not_be_done_is_delivered_again(
    verb: str, error: RollbackError, ports: EntryPointPorts
) -> None:
    """Whichever call fails, nothing is acknowledged before all is kept and handed on."""
    ports.store.hook = ports.bus.hook = raise_error(verb, error)

    assert post_to_entry_point("on_alert", build_alert_push(ports)) == 503

    ports.store.hook = ports.bus.hook = no_hook
    assert post_to_entry_point("on_alert", build_alert_push(ports)) == 204
    assert "alerts/0.real:open" in ports.store.documents
    assert topics.WORK in {one.topic for one in ports.bus.messages}


@pytest.mark.parametrize("verb", ["store.commit", "bus.publish"])
def test_what_is_refused_is_acknowledged_once_it_is_kept(verb: str, ports: EntryPointPorts) -> None:
    """A letter that could not be written is no letter: the message comes again."""
    ports.store.hook = ports.bus.hook = raise_error(verb, Unavailable("503"))

    assert post_to_entry_point("on_alert", build_push(b"junk")) == 503

    ports.store.hook = ports.bus.hook = no_hook
    assert post_to_entry_point("on_alert", build_push(b"junk")) == 204
    assert [one.data for one in ports.bus.messages if one.topic == topics.DEAD_LETTERS] == [b"junk"]


def test_who_has_lost_the_rollback_is_not_asked_again(ports: EntryPointPorts) -> None:
    """Another holds it, or takes it by its due_at: a redelivery would only get in the way."""
    assert post_to_entry_point("on_alert", build_alert_push(ports)) == 204
    [work] = [one.data for one in ports.bus.messages if one.topic == topics.WORK]
    commits: list[str] = []

    def stand_still(verb: str, side: str) -> None:
        if (verb, side) == ("store.commit", "after"):
            commits.append(verb)
            ports.clock.advance(timedelta(minutes=1))

    ports.store.hook = stand_still

    assert post_to_entry_point("on_work", build_push(work)) == 204
    assert commits == ["store.commit", "store.commit"]  # its claim, and that it was late
    key = ports.store.documents[f"systems/{BOOKSHOP.system}"]["rollback"]
    kept = ports.store.documents[f"rollbacks/{key}"]
    assert (kept["due_at"] is not None, kept["late"]) == (True, 1)
