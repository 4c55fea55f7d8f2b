"""on_clock: copies that people asked for are made, looked through, kept for a while, and let go."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from responders.asking import answered, ask, ask_all
from responders.backups.filling import examined, found, of_database, stepped
from responders.erasing import Opened
from responders.examining import Examining
from responders.switched import is_stopped
from shared import copying as copies
from shared import integrity
from shared.audit import event
from shared.backing import ASKED_FOR
from shared.copy_told import TOLD, text
from shared.copying import FILLED_WITHIN, UNDER_WAY, Copy, Status
from shared.documents import decode, encode
from shared.erasure import Book, Progress, book_path
from shared.errors import Ambiguous, Exists, Moved, Rejected, Unavailable
from shared.handover import publish_notices
from shared.notice import creates, notices
from shared.outside import write_down
from shared.policy import Policy
from shared.ports import Create, Document, Ports, Query, Update
from shared.resources import CopyRules
from shared.restore_point import Source

ACTOR: Final = "on_clock"
FOR_SECONDS: Final = 30.0
"""Of looking through, each minute: the rest comes with the next one."""
STOPPED: Final = "nothing is begun while a pause or a freeze is set"


class MakingCopies:
    """The copies of the systems whose policy admits some; one that does not costs nothing."""

    def __init__(self, ports: Ports, policies: Mapping[str, Policy]) -> None:
        self._ports = ports
        self._policies = {
            system: policy for system, policy in policies.items() if policy.backups.copies
        }

    def carry_on(self) -> None:
        """Carry each copy that is not over a step forward.

        What a service does not answer is asked again in a minute. Raises: Unavailable, for the
        store's.
        """
        if not self._policies:
            return
        waiting = Query("copies", where=(("is_over", "==", False),))
        for document in self._ports.store.query(waiting):
            copy = decode(Copy, document.fields)
            policy = self._policies.get(copy.system)
            if policy is not None and policy.backups.copies is not None:
                _Step(self._ports, policy, policy.backups.copies, document).carry_forward(copy)


class _Step:
    """One copy, one step further."""

    def __init__(self, ports: Ports, policy: Policy, rules: CopyRules, document: Document) -> None:
        self._ports = ports
        self._policy = policy
        self._rules = rules
        self._document = document
        self._now = document.read_at
        self._restores = ports.restores(policy.system)

    def carry_forward(self, copy: Copy) -> None:
        """One look, and what it takes, kept in one commit with who is told."""
        after = stepped(copy, self._after, copy.id, "copy.waits")
        if after.status in UNDER_WAY and copies.is_late(after, self._rules, self._now):
            reason = f"not over in time: {after.waiting or after.status.lower()}"
            after = copies.failed(after, reason, self._now)
        if after != copy:
            self._keep(copy, after)

    def _after(self, copy: Copy) -> Copy:
        match copy.status:
            case Status.MAKING:
                return self._made(copy)
            case Status.CHECKING:
                return self._checked(copy)
            case Status.READY:
                return self._kept(copy)
        return self._let_go(copy)

    # Making

    def _made(self, copy: Copy) -> Copy:
        """The copy by how far its database is filled, begun where nobody has."""
        begun = found(self._ports, self._restores, copy, copy.id)
        if begun is not None:
            return copies.filled(copy, begun, self._now)
        if not copies.may_ask(copy, self._now):
            return copy
        if self._is_stopped():
            return replace(copy, waiting=STOPPED)
        return self._asked(copy)

    def _asked(self, copy: Copy) -> Copy:
        """The copy that is asked for, once that is on record: of two, one loses there."""
        intent = copies.asked(copy, self._now)
        until = self._ports.clock.monotonic() + ASKED_FOR.total_seconds() / 2
        version = self._ports.store.commit(
            [Update(self._document.path, encode(intent), self._document.version)]
        )
        self._document = replace(self._document, version=version)
        if self._is_stopped():  # nothing was sent: it was not asked for
            return replace(copy, waiting=STOPPED)
        try:
            if intent.point.source is Source.EXPORT:
                return self._import(intent, until)
            return self._copy(intent)
        except (Unavailable, Moved) as failure:  # the next look finds it, or asks again
            return replace(intent, waiting=str(failure))
        except Rejected as no:
            return copies.failed(intent, str(no), self._now)

    def _copy(self, intent: Copy) -> Copy:
        """A database of the original's past, or of Google's own backup."""
        point, restores = intent.point, self._restores
        call = partial(restores.clone, intent.id, intent.original, point.at)
        if point.source is Source.NATIVE:
            call = partial(restores.restore, intent.id, point.place)
        try:
            operation: str = ask(self._ports, call)
        except Exists as there:
            other = ask(self._ports, partial(restores.find, intent.id))
            if other is not None:
                return copies.filled(intent, other, self._now)
            if intent.asks == 1:
                return copies.taken(intent, self._now)
            return replace(intent, waiting=str(there))
        return replace(intent, operation=operation, is_ours=True)

    def _import(self, intent: Copy, until: float) -> Copy:
        """An empty database, and then the export: each by a call, the second one not too late.

        Whoever stood still must not fill what another has looked through meanwhile.
        """
        if not intent.is_ours:
            try:
                create = partial(self._restores.create, intent.id, intent.location)
                ask(self._ports, create)
            except Exists:  # our own, of a request before, or somebody's
                if intent.asks == 1:
                    return copies.taken(intent, self._now)
            intent = replace(intent, is_ours=True)
        if self._ports.clock.monotonic() > until:
            return replace(intent, waiting="it took too long to be sent")
        fill = partial(self._restores.fill, intent.id, intent.point.place)
        try:
            if self._is_stopped():
                return replace(intent, waiting=STOPPED)
            return replace(intent, operation=ask(self._ports, fill))
        except Rejected as no:  # a database may take minutes until it can be filled
            if self._now >= intent.began_at + FILLED_WITHIN:
                return copies.failed(intent, str(no), self._now)
            return replace(intent, waiting=str(no))
        except Unavailable as failure:
            return replace(intent, waiting=str(failure))

    def _is_stopped(self) -> bool:
        """Whether a switch is set, asked right before each effect. Raises: Unavailable."""
        return is_stopped(self._ports, self._policy)

    # Looking through

    def _checked(self, copy: Copy) -> Copy:
        """The copy with more of its database looked through, or ready."""
        if not copy.purge.is_over:
            return self._purged(copy)
        examining = Examining(self._ports, of_database(self._policy, copy.id))
        later, is_over = examined(examining, copy, "copy", copy.made_at, self._now, FOR_SECONDS)
        if not is_over:
            return later
        newest = ask(self._ports, partial(self._restores.find, copy.id))
        if newest is not None and newest.operation != copy.operation:
            return copies.again(later, newest)
        return copies.ready(later, self._counts(copy), self._rules, self._now)

    def _purged(self, copy: Copy) -> Copy:
        """The copy with more of it gone through for people who were erased since then."""
        began = copy.purged_at
        if began is None or copy.purge == Progress(removed=copy.purge.removed):
            began = self._now
        opened = Opened(self._ports, self._policy, copy.id, copy.point.at)
        purge = opened.purge(copy.purge, FOR_SECONDS)
        return replace(copy, purge=purge, purged_at=began, waiting="")

    def _counts(self, copy: Copy) -> dict[str, int]:
        """How many documents each declared collection of it holds now."""
        documents = self._ports.documents(copy.system)
        calls: dict[str, Any] = {
            name: partial(documents.count, copy.id, integrity.scope(name, one), None)
            for name, one in self._policy.collections.items()
        }
        return {name: answered(one) for name, one in ask_all(self._ports, calls).items()}

    # Keeping, and letting go

    def _kept(self, copy: Copy) -> Copy:
        """The copy that waits for people: whoever is erased meanwhile goes from it, too."""
        if not copy.purge.is_over:
            purged = self._purged(copy)
            return replace(purged, counts=self._counts(copy)) if purged.purge.is_over else purged
        if self._is_erased_since(copy):
            return replace(copy, purge=Progress(removed=copy.purge.removed))
        if copies.reminds(copy, self._rules, self._now):
            return replace(copy, reminded_at=self._now)
        if copy.kept_until is None or self._now < copy.kept_until:
            return copy
        if copy.id not in ask(self._ports, self._restores.names):
            return copies.deleted(copy, self._now)
        if copies.is_used(copy, self._counts(copy)):
            why = "it holds other numbers of documents than when it was ready"
            return copies.left(copy, why, self._now)
        return copies.let_go(copy, self._now)

    def _is_erased_since(self, copy: Copy) -> bool:
        """Whether somebody has come into the ledger since the copy was gone through.

        When they were erased says nothing of that: the application may have told it later.
        """
        since = copy.purged_at
        fields = self._ports.store.get(book_path(copy.system)).fields
        added_at = decode(Book, fields).added_at if fields is not None else None
        if self._policy.erasure is None or since is None or added_at is None:
            return False
        return added_at >= since

    def _let_go(self, copy: Copy) -> Copy:
        """The copy once its database is gone; somebody's own, and what is protected, stays."""
        if not copy.is_ours:
            return copies.deleted(copy, self._now)
        try:
            with suppress(Ambiguous):  # the look tells
                ask(self._ports, partial(self._restores.delete, copy.id))
        except Moved as no:
            if copies.gives_up(copy, self._now):
                return copies.left(copy, f"it may not be deleted: {no}", self._now)
            return replace(copy, waiting=str(no))
        if copy.id in ask(self._ports, self._restores.names):
            return copy
        return copies.deleted(copy, self._now)

    def _keep(self, before: Copy, after: Copy) -> None:
        """The copy as it is now, with its event and notices where people are to know."""
        name, now, document = _turn(before, after), self._now, self._document
        said, told = [], list[Create]()
        if name:
            facts = {"copy": after.id, "point": str(after.point), "faults": after.faults}
            happened = event(name, now, ACTOR, waiting=after.waiting, **facts)
            told = [write_down(after.system, f"{name}:{after.id}", happened)]
        if name in TOLD:
            lines = "\n".join(text(name, after, self._policy))
            said = notices(self._policy, after.id, TOLD[name], name, lines, now)
        with suppress(Moved):  # whoever wrote first has done it
            self._ports.store.commit(
                [Update(document.path, encode(after), document.version), *told, *creates(said)]
            )
            publish_notices(self._ports.bus, said)


def _turn(before: Copy, after: Copy) -> str:
    """What has happened to it, each once; empty: nothing that is kept on record."""
    if after.reminded_at is not before.reminded_at:
        return "copy.ends"
    is_filled_again = after.status is Status.CHECKING and before.made_at is not None
    if after.status is before.status or is_filled_again:
        return ""
    if after.faults and after.status is Status.LETTING_GO:
        return "copy.failed"
    return _NAMES.get(after.status, "")


_NAMES: Mapping[Status, str] = {
    Status.CHECKING: "copy.made",
    Status.READY: "copy.ready",
    Status.DELETED: "copy.deleted",
    Status.FAILED: "copy.gone",
    Status.LEFT: "copy.left",
}
