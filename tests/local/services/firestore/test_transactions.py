import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from random import Random

import pytest
from google.api_core.exceptions import Aborted, InvalidArgument
from google.cloud import firestore
from google.cloud.firestore import Client, DocumentReference, Query, Transaction
from google.cloud.firestore_v1.types import GetDocumentRequest

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.services.firestore import Concurrency
from local.services.firestore.commit_engine import FirestoreEngine
from local.services.firestore.data.databases import Databases
from local.services.firestore.messages import Document, TransactionOptions, Write
from tests.local.support.firestore import NOON, FirestoreWorld, serving

WAIT_SECONDS = 60
"""Only a broken test waits this long."""


@pytest.fixture(params=list(Concurrency))
def world(request: pytest.FixtureRequest) -> Iterator[FirestoreWorld]:
    with serving(concurrency=request.param) as world:
        yield world


optimistic, pessimistic = (
    pytest.mark.parametrize("world", [mode], indirect=True)
    for mode in (Concurrency.OPTIMISTIC, Concurrency.PESSIMISTIC)
)


@pytest.fixture
def counter(document: DocumentReference) -> DocumentReference:
    """A document that counts from 0."""
    document.create({"count": 0})
    return document


def empty_query(client: Client) -> tuple[Query, Transaction]:
    """A query for rollbacks that run, and a transaction that has found none."""
    running = client.collection("rollbacks").where(filter=firestore.FieldFilter("status", "==", "RUNNING"))
    transaction = begun(client)
    assert list(running.stream(transaction=transaction)) == []
    return running, transaction


def readers(client: Client, document: DocumentReference) -> tuple[Transaction, Transaction]:
    """Two transactions that have read the document, the older first."""
    document.create({"by": "nobody"})
    older, younger = begun(client), begun(client)
    for transaction in (older, younger):
        document.get(transaction=transaction)
    return older, younger


def begun(client: Client, **options: object) -> Transaction:
    transaction = client.transaction(**options)
    transaction._begin()
    return transaction


def in_background(work: Callable[[], object]) -> Future[object]:
    """Run something that may have to wait; daemon threads let a broken test end."""
    done: Future[object] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done


def test_many_threads_on_one_counter(client: Client) -> None:
    """No increment that was acknowledged is lost, and none is counted twice."""
    document = client.document("counters/20260301")
    document.create({"count": 0})

    def add_one() -> None:
        for _ in count():
            transaction = begun(client)
            try:
                value = document.get(transaction=transaction).get("count")
                transaction.update(document, {"count": value + 1})
                transaction._commit()
                return
            except Aborted:
                transaction._rollback()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(add_one) for _ in range(80)]:
            done.result(WAIT_SECONDS)

    assert document.get().get("count") == 80


@optimistic
def test_the_clients_own_retry_of_a_lost_race(client: Client, counter: DocumentReference) -> None:
    """The client's decorator runs the body again when somebody else wrote in between."""
    attempts = count(1)

    def add_one(transaction: Transaction) -> int:
        attempt = next(attempts)
        value = counter.get(transaction=transaction).get("count")
        if attempt == 1:
            counter.update({"count": 10})
        transaction.update(counter, {"count": value + 1})
        return attempt

    assert firestore.transactional(add_one)(client.transaction()) == 2
    assert counter.get().get("count") == 11


@optimistic
def test_a_document_that_changed_after_it_was_read(client: Client, counter: DocumentReference) -> None:
    """An optimistic commit is refused when what it read is not so any more."""
    transaction = begun(client)
    counter.get(transaction=transaction)
    counter.update({"count": 5})
    transaction.update(counter, {"count": 1})

    with pytest.raises(Aborted):
        transaction._commit()

    assert counter.get().get("count") == 5


@optimistic
def test_a_document_that_appeared_after_it_was_missed(client: Client) -> None:
    """That a document was missing is something read, too."""
    transaction = begun(client)
    assert not client.document("a/1").get(transaction=transaction).exists
    client.document("a/1").create({"by": "other"})
    transaction.set(client.document("a/2"), {"by": "me"})

    with pytest.raises(Aborted):
        transaction._commit()


@optimistic
def test_a_phantom(client: Client) -> None:
    """A query's result is read as a whole: a new document in it refuses the commit."""
    running, transaction = empty_query(client)
    client.document("rollbacks/r1").create({"status": "RUNNING"})
    transaction.create(client.document("rollbacks/r2"), {"status": "RUNNING"})

    with pytest.raises(Aborted):
        transaction._commit()

    assert [found.id for found in running.stream()] == ["r1"]


def test_a_change_outside_of_what_a_query_looked_at(client: Client) -> None:
    """Documents that a query does not find, before or after, are nobody's conflict."""
    running, transaction = empty_query(client)
    client.document("rollbacks/r1").create({"status": "SUCCEEDED"})
    client.document("other/1/rollbacks/r1").create({"status": "RUNNING"})
    client.document("rollbacks/r1/rollbacks/r1").create({"status": "RUNNING"})
    transaction.create(client.document("rollbacks/r2"), {"status": "RUNNING"})

    transaction._commit()

    assert [found.id for found in running.stream()] == ["r2"]


@optimistic
def test_reads_of_one_optimistic_transaction(client: Client) -> None:
    """All see one moment, whatever is committed between them."""
    client.document("a/1").create({"version": 1})
    client.document("a/2").create({"version": 1})
    transaction = begun(client)
    client.document("a/1").get(transaction=transaction)
    client.document("a/2").update({"version": 2})

    assert client.document("a/2").get(transaction=transaction).get("version") == 1


@pessimistic
def test_a_write_to_what_a_transaction_has_read(
    world: FirestoreWorld, client: Client, counter: DocumentReference
) -> None:
    """It waits until the transaction is over, and is then carried out."""
    transaction = begun(client)
    counter.get(transaction=transaction)

    arrived = world.arrival("Commit")
    write = in_background(lambda: counter.update({"count": 9}))
    assert arrived.wait(WAIT_SECONDS)
    assert counter.get().get("count") == 0
    assert not write.done()
    transaction.update(counter, {"count": 1})
    transaction._commit()

    write.result(WAIT_SECONDS)
    assert counter.get().get("count") == 9


@pessimistic
def test_a_phantom_waits(world: FirestoreWorld, client: Client) -> None:
    """What a transaction's query would find cannot be created before it is over."""
    running, transaction = empty_query(client)

    arrived = world.arrival("Commit")
    create = in_background(lambda: client.document("rollbacks/r1").create({"status": "RUNNING"}))
    assert arrived.wait(WAIT_SECONDS)
    assert not client.document("rollbacks/r1").get().exists
    assert list(running.stream(transaction=transaction)) == []
    transaction._rollback()

    create.result(WAIT_SECONDS)
    assert [found.id for found in running.stream()] == ["r1"]


@pessimistic
def test_waiting_longer_than_the_service_lets(
    world: FirestoreWorld, client: Client, counter: DocumentReference
) -> None:
    """After 20 s of the cloud's time a waiting write is refused."""
    holder = begun(client)

    counter.get(transaction=holder)
    write = in_background(lambda: counter.update({"count": 9}))
    for _ in range(2600):
        counter.get(transaction=holder)  # not idle
        if write.done():
            break
        world.clock.advance(timedelta(seconds=0.1))

    with pytest.raises(Aborted, match="Too much contention"):
        write.result(WAIT_SECONDS)
    assert counter.get().get("count") == 0


def test_a_caller_that_is_gone_while_its_write_waits() -> None:
    """The write is given up: it is not carried out when its turn would come."""
    database = "projects/ops/databases/rollback"
    name = f"{database}/documents/a/1"
    clock, journal = CloudClock(NOON, scale=0), Journal()
    engine = FirestoreEngine(clock, journal, Databases(clock, journal), Random(0))
    token = engine.begin(database, TransactionOptions())
    with engine.read_request(database, GetDocumentRequest.pb()(transaction=token)) as view:
        view.get(name)

    with pytest.raises(StatusError, match="CANCELLED"):
        engine.commit(database, [Write(update=Document(name=name))], is_wanted=lambda: False)
    engine.roll_back(database, token)

    with engine.read_at() as view:
        assert view.get(name) is None


@pessimistic
def test_an_older_transaction_takes_away_what_a_younger_one_holds(
    client: Client, document: DocumentReference
) -> None:
    """The older commits at once; the younger is refused, in its reads as in its commit."""
    older, younger = readers(client, document)

    older.update(document, {"by": "older"})
    older._commit()

    with pytest.raises(Aborted):
        document.get(transaction=younger)
    younger.update(document, {"by": "younger"})
    with pytest.raises(Aborted):
        younger._commit()
    younger._rollback()
    assert document.get().get("by") == "older"


@pessimistic
def test_two_that_want_what_the_other_holds(
    world: FirestoreWorld, client: Client, document: DocumentReference
) -> None:
    """They cannot wait for each other for ever: the older wins, the younger is refused."""
    older, younger = readers(client, document)
    for transaction in (older, younger):
        transaction.update(document, {"by": "one of them"})

    arrived = world.arrival("Commit")
    waiting = in_background(younger._commit)
    assert arrived.wait(WAIT_SECONDS)
    older._commit()

    with pytest.raises(Aborted):
        waiting.result(WAIT_SECONDS)


@pessimistic
def test_a_retry_keeps_its_age(client: Client, document: DocumentReference) -> None:
    """A transaction that was refused is older than all that began since, when it tries again."""
    document.create({"by": "nobody"})
    first = begun(client)
    first_token = first._id
    first._rollback()
    later = begun(client)
    document.get(transaction=later)
    retried = client.transaction()
    retried._begin(retry_id=first_token)

    document.get(transaction=retried)
    retried.update(document, {"by": "retried"})
    retried._commit()

    later.update(document, {"by": "later"})
    with pytest.raises(Aborted):
        later._commit()


@pytest.mark.parametrize(
    ("used_every", "lives"),
    [(timedelta(seconds=59), True), (timedelta(seconds=61), False)],
    ids=["within 60 s", "idle over 60 s"],
)
def test_an_idle_transaction(
    world: FirestoreWorld, client: Client, document: DocumentReference, used_every: timedelta, lives: bool
) -> None:
    """A transaction that is not used for 60 s is over."""
    transaction = begun(client)
    document.get(transaction=transaction)
    world.clock.advance(used_every)
    transaction.set(document, {"written": True})

    if not lives:
        with pytest.raises(InvalidArgument):
            transaction._commit()
    else:
        transaction._commit()

    assert document.get().exists is lives


def test_a_transaction_over_270_seconds(
    world: FirestoreWorld, client: Client, document: DocumentReference
) -> None:
    """However busy, a transaction is over after 270 s, and what it held is free."""
    transaction = begun(client)
    for _ in range(6):
        document.get(transaction=transaction)
        world.clock.advance(timedelta(seconds=45.1))

    with pytest.raises(InvalidArgument):
        document.get(transaction=transaction)
    document.create({"free": True})


def test_a_token_that_is_used_again(client: Client) -> None:
    """A committed transaction cannot be committed or rolled back once more."""
    transaction = begun(client)
    token = transaction._id
    transaction.set(client.document("a/1"), {"count": 1})
    transaction._commit()

    transaction._id = token
    with pytest.raises(InvalidArgument):
        transaction._commit()
    transaction._id = token
    with pytest.raises(InvalidArgument):
        transaction._rollback()


def test_a_token_of_another_database(world: FirestoreWorld) -> None:
    """Transactions do not reach across databases."""
    with world.client("one") as one, world.client("two") as two:
        foreign = two.transaction()
        foreign._id = begun(one)._id
        foreign.set(two.document("a/1"), {})

        with pytest.raises(InvalidArgument):
            foreign._commit()


def test_a_read_only_transaction(client: Client, document: DocumentReference) -> None:
    """It sees the moment it began, is in nobody's way, and cannot write."""
    document.create({"version": 1})
    reader = begun(client, read_only=True)
    document.update({"version": 2})

    assert document.get(transaction=reader).get("version") == 1
    document.update({"version": 3})
    assert document.get(transaction=reader).get("version") == 1

    batch = client.batch()
    batch.update(document, {"version": 4})
    with pytest.raises(InvalidArgument):
        client._firestore_api.commit(
            {"database": client._database_string, "writes": batch._write_pbs, "transaction": reader._id}
        )
    assert document.get().get("version") == 3


def test_a_rolled_back_transaction(client: Client) -> None:
    """It leaves nothing behind, and rolling back again is no error."""
    transaction = begun(client)
    token = transaction._id
    client.document("a/1").get(transaction=transaction)
    transaction.set(client.document("a/1"), {})
    transaction._rollback()
    transaction._id = token
    transaction._rollback()

    assert not client.document("a/1").get().exists
    client.document("a/1").create({"free": True})
