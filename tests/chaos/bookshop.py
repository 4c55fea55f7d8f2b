"""A bookshop at work: it writes orders by Google's own client, and knows what should be there."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from random import Random
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.cloud import firestore
from google.cloud.firestore_v1.bulk_writer import BulkWriterOptions

COLLECTIONS = ("customers", "orders")
ERASED = "erased"
"""Where it says whom it has erased."""
ORDERS_EACH = 10
WRITTEN_AT_ONCE = 400
PAUSE_SECONDS = 0.1
"""Between two of its writes."""
UNPACED = 1_000_000

Fields = Mapping[str, Any]
Documents = Mapping[str, Fields]
"""By path."""


class Bookshop:
    """Customers and their orders, who writes them all the time, and a release that spoils them."""

    def __init__(self, client: firestore.Client, orders: int, random: Random) -> None:
        self._client = client
        self._random = random
        self._turn = threading.Lock()
        self._closing = threading.Event()
        self._orders = orders
        self._customers = [f"{number:05}" for number in range(max(orders // ORDERS_EACH, 10))]
        self._wanted: dict[str, Fields | None] = {}
        """None: it has deleted that."""
        self._written_as: dict[str, int] = {}
        self.written = 0
        """How often it has written or deleted something itself."""
        self.spoilt: dict[str, Fields] = {}
        """What the release has written."""
        self.erased: set[str] = set()
        """Customers that are forgotten."""
        self.left: set[str] = set()
        """Spoilt orders of theirs, which no query finds by their names."""

    @property
    def wanted(self) -> dict[str, Fields]:
        """What should be there now."""
        return {path: fields for path, fields in self._wanted.items() if fields is not None}

    def touched(self, since: int) -> set[str]:
        """What it has written or deleted since it had done so that often."""
        return {path for path, number in self._written_as.items() if number > since}

    def open(self) -> None:
        """Everything is there, and valid."""
        for customer in self._customers:
            self._wanted[f"customers/{customer}"] = {"email": f"{customer}@example.com"}
        for number in range(self._orders):
            customer = self._customers[number % len(self._customers)]
            self._wanted[_order(number)] = self._valid(customer)
        self._write(self.wanted.items())

    def work(self) -> None:
        """One order is changed, made or deleted."""
        with self._turn:
            draw, number = self._random.random(), self._random.randrange(self._orders)
            if draw < 0.1:
                number, self._orders = self._orders, self._orders + 1
            customer = self._random.choice(self._customers)
            self._set(_order(number), None if draw > 0.9 else self._valid(customer))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """All the time within the block. Raises: what its work has died of."""

        def go_on() -> None:
            while not self._closing.wait(PAUSE_SECONDS):
                self.work()

        with ThreadPoolExecutor(1) as pool:
            going_on = pool.submit(go_on)
            try:
                yield
            finally:
                self._closing.set()
            going_on.result()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Nothing is written within the block."""
        with self._turn:
            yield

    def release(self) -> None:
        """Every order is spoilt, each at a time of its own."""
        orders = self._orders
        for first in range(0, orders, WRITTEN_AT_ONCE):
            with self._turn:
                numbers = range(first, min(first + WRITTEN_AT_ONCE, orders))
                known = {number: self._wanted[_order(number)] for number in numbers}
                some = {_order(n): _spoilt(n, one) for n, one in known.items() if one is not None}
                self._write(some.items())
                self.spoilt |= some

    def erase(self, people: int, at: datetime) -> None:
        """So many customers are forgotten, with all that names them: a spoilt order may not."""
        with self._turn:
            for customer in self._random.sample(self._customers, people):
                self._customers.remove(customer)
                self.erased.add(customer)
                self._set(f"{ERASED}/{customer}", {"who": customer, "done": at})
                self._set(f"customers/{customer}", None)
                theirs = firestore.FieldFilter("customer", "==", customer)
                for one in self._client.collection("orders").where(filter=theirs).stream():
                    self._set(one.reference.path, None)
                unnamed = {p for p, one in self.wanted.items() if one.get("customer") == customer}
                self.left |= unnamed
                self._wanted |= {path: self.spoilt[path] for path in unnamed}

    def tidy(self) -> None:
        """What was left of the forgotten goes, too."""
        with self._turn:
            for path in sorted(self.left):
                self._set(path, None)

    def everything(self, at: datetime | None = None) -> dict[str, Fields]:
        """All that is there now, or was then."""
        return {
            one.reference.path: one.to_dict() or {}
            for name in COLLECTIONS
            for one in self._client.collection(name).stream(read_time=at)
        }

    def _valid(self, customer: str) -> Fields:
        amount = self._random.randrange(10**9)
        return {"customer": customer, "status": "paid", "amount": amount, "title": "A book"}

    def _set(self, path: str, fields: Fields | None) -> None:
        document = self._client.document(path)
        if fields is None:
            self._answered(document.delete)
        else:
            self._answered(document.set, dict(fields))
        if not path.startswith(f"{ERASED}/"):
            self._wanted[path] = fields
        self.written += 1
        self._written_as[path] = self.written

    def _answered(self, call: Callable[..., Any], *arguments: Any) -> None:
        """It is said until there is an answer, or it closes; each of these may be done twice."""
        while True:
            try:
                call(*arguments)
            except (GoogleAPICallError, RetryError):
                if not self._closing.is_set():
                    continue
            return

    def _write(self, documents: Iterable[tuple[str, Fields]]) -> None:
        options = BulkWriterOptions(initial_ops_per_second=UNPACED, max_ops_per_second=UNPACED)
        writer = self._client.bulk_writer(options)
        for path, fields in documents:
            writer.set(self._client.document(path), dict(fields))
        writer.close()


def invalid(documents: Documents) -> set[str]:
    """The orders that name nobody who is there, or were paid without an amount."""
    return {
        path
        for path, fields in documents.items()
        if path.startswith("orders/")
        and (
            f"customers/{fields['customer']}" not in documents
            or (fields["status"] == "paid" and "amount" not in fields)
        )
    }


def naming(people: Iterable[str], documents: Documents) -> set[str]:
    """What there is of these people."""
    known = set(people)
    return {
        path
        for path, fields in documents.items()
        if path.rpartition("/")[2] in known or fields.get("customer") in known
    }


def _order(number: int) -> str:
    return f"orders/{number:06}"


def _spoilt(number: int, fields: Fields) -> Fields:
    if number % 3:  # of each customer some
        return {**fields, "customer": "nobody"}
    return {name: value for name, value in fields.items() if name != "amount"}
