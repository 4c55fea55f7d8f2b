"""What Cloud Functions builds: deployments that take minutes, and may fail when they are due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from local.application.service import (
    LATEST_ONLY,
    ApplicationService,
    Archive,
    DocumentEventFilter,
    RevisionConfiguration,
    ServiceRevision,
    add_revision,
    record_routing,
)

if TYPE_CHECKING:
    from local.application.application import Application

MAX_REMEMBERED_BUILDS = 200
"""Ended builds that are remembered, so that their operations can still be asked for."""


class BuildRequest(Struct, frozen=True):
    """What a function is to be after a build; None leaves what it has."""

    source: Archive | None = None
    configuration: RevisionConfiguration | None = None
    follow_latest: bool = False
    """All traffic to the new revision, whatever the traffic list says."""
    definition: dict[str, Any] | None = None
    """What it is beside that."""
    hears: DocumentEventFilter | None = None
    """Which documents start it, where the build creates it."""


class Build(Struct, frozen=True):
    """One deployment of a function."""

    id: str
    function: str
    verb: str
    asked: BuildRequest
    message: Any
    """The request's own message of the function, as it came in."""
    started_at: datetime
    due_at: datetime
    failure: str = ""
    """Why it fails before there is a revision; empty: it does not."""
    starts: bool = True
    """Whether its revision comes up."""
    ended: bool = False


class ArchiveNotFound(Exception):
    """There is no such object."""


def never_fail(_function: str) -> str:
    """No failure, for any function."""
    return ""


def _refuse_archive(archive: Archive) -> str:
    raise ArchiveNotFound(archive.object)


class Builds:
    """One application's builds, in memory: what is being built when the cloud stops is lost.

    Its fields are there to be set: how long builds take (no primary figure exists: minutes), and
    how the next ones fail.
    """

    def __init__(self, application: Application) -> None:
        self.latency: timedelta = timedelta(seconds=90)
        self.failure: Callable[[str], str] = never_fail
        """Why the build of a function fails, by its name; empty when it does not."""
        self.starts: Callable[[str], bool] = lambda _function: True
        """Whether the revision that a build of the function makes comes up."""
        self.release_in: Callable[[Archive], str] = _refuse_archive
        """The release whose source an archive holds. Raises: Missing."""
        self.is_enabled: Callable[[str], bool] = lambda _bound: True
        """Whether `SECRET/VERSION` can be read."""
        self._application = application
        self._builds: list[Build] = []
        self._begun = 0

    def running(self, function: str) -> Build | None:
        """The build of a function that has not ended."""
        self.settle()
        alive = (one for one in self._builds if one.function == function and not one.ended)
        return next(alive, None)

    def all(self) -> list[Build]:
        """Every build that is remembered, the oldest first."""
        self.settle()
        return list(self._builds)

    def begin(
        self, function: str, verb: str, asked: BuildRequest, message: Any, delay: timedelta, failure: str
    ) -> Build:
        """A build that ends later."""
        now = self._application.now
        self._begun += 1
        build = Build(
            id=f"operation-{int(now.timestamp() * 1000)}-{function.lower()}-{self._begun:05d}",
            function=function,
            verb=verb,
            asked=asked,
            message=message,
            started_at=now,
            due_at=now + self.latency + delay,
            failure=failure or self.failure(function),
            starts=self.starts(function),
        )
        self._builds = [*self._builds, build][-MAX_REMEMBERED_BUILDS:]
        return build

    def settle(self) -> None:
        """Let every build end that is due."""
        due = [one for one in self._builds if not one.ended and one.due_at <= self._application.now]
        for build in due:
            self._replace(build, replace(build, ended=True))  # first: what follows settles too
            self._finish(build)

    def _finish(self, build: Build) -> None:
        failure, release = build.failure, ""
        service = self._application.service_of(build.function)
        source = build.asked.source or service.latest_created.source
        try:
            release = self._release(service, build.asked.source)
        except ArchiveNotFound as missing:
            failure = failure or f"Build failed: source object {missing} was not found"
        if failure:
            self._end(build, failure)
            return
        wanted = build.asked.configuration or service.latest_created.configuration
        lost = sorted(one for one in wanted.secrets.values() if not self.is_enabled(one))
        starts = build.starts and not lost
        made = self._revision(service, build, release, wanted, source, starts)

        def grown(seen: ApplicationService, _now: datetime) -> ApplicationService:
            if build.asked.follow_latest or seen.deleted_at:
                seen = replace(seen, traffic=LATEST_ONLY, applied=LATEST_ONLY, deleted_at=None)
            return record_routing(add_revision(seen, made), build.due_at)

        self._application.update(service.name, grown)
        if service.deleted_at and build.asked.hears:
            self._application.connect_document_events(build.function, build.asked.hears)
        why = f"secret version {lost[0]} is not available" if lost else "the container exited"
        failed = f"Could not create or update Cloud Run service {service.name}: {why}"
        self._end(build, "" if starts else failed)

    def _end(self, build: Build, failure: str) -> None:
        ended = replace(build, ended=True, failure=failure)
        for kept in self._builds:
            if kept.id == build.id:
                self._replace(kept, ended)
        name = self._application.service_of(build.function).name
        self._application.update(name, lambda seen, _: replace(seen, broken=failure))

    def _replace(self, before: Build, after: Build) -> None:
        self._builds = [after if one is before else one for one in self._builds]

    def _release(self, service: ApplicationService, archive: Archive | None) -> str:
        """The release that a source stands for: one of a build before, else what lies there."""
        if archive is None:
            return service.latest_created.release
        known = (one.release for one in service.revisions if one.source == archive)
        return next(known, "") or self.release_in(archive)

    def _revision(
        self,
        service: ApplicationService,
        build: Build,
        release: str,
        configuration: RevisionConfiguration,
        source: Archive | None,
        starts: bool,
    ) -> ServiceRevision:
        """A revision that behaves as that release does; an unknown release is sound."""
        name = self._application.next_revision_name(service)
        alike = (one for one in reversed(service.revisions) if one.release == release)
        like = next(alike, ServiceRevision(name, release, build.due_at))
        return replace(
            like,
            name=name,
            created_at=build.due_at,
            starts=starts,
            configuration=configuration,
            source=source,
            definition=service.latest_created.definition
            if build.asked.definition is None
            else build.asked.definition,
        )
