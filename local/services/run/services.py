"""`google.cloud.run.v2.Services`."""

import re
import uuid
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any

import grpc
from google.cloud import run_v2
from google.longrunning import operations_pb2
from google.protobuf.message import Message
from msgspec.structs import replace

from local.application import Application
from local.application.applications import (
    ApplicationRegistry,
    Location,
    invalid_argument,
    parse_resource_name,
)
from local.application.service import ApplicationService, ServiceRevision, add_revision, redirect_traffic
from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.pages import page
from local.faults.hooks import ORDINARY_COURSE, Fate, FaultHooks
from local.services.plain_functions import PlainFunctions
from local.services.run import messages, scalings, targets
from local.services.run.iam_policies import ServicePolicies
from local.services.run.quota import WriteQuotaBucket
from local.services.run.rollouts import Rollouts
from local.services.run.updates import read_update

MAX_PAGE_SIZE = 100
MAX_REVISION_LENGTH = 63
"""Of a revision's name, with that of its service (https://cloud.google.com/run/docs/managing/revisions)."""


class RunServices(ServicePolicies):
    """Reads, policies, and changes of traffic and template that end later as operations."""

    def __init__(
        self,
        estate: ApplicationRegistry,
        clock: CloudClock,
        rollouts: Rollouts,
        quota: WriteQuotaBucket,
        faults: FaultHooks,
        plain: PlainFunctions,
        journal: Journal,
    ) -> None:
        super().__init__(estate, plain, journal)
        self._clock = clock
        self._rollouts = rollouts
        self._quota = quota
        self._faults = faults

    def GetService(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A service by its full name."""
        location, (name,) = parse_resource_name(request.name, "services")
        owned = self._find_owner(request.name)
        return messages.service_message(*owned) if owned else self._plain.find_service(location, name)

    def ListServices(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """A region's services by name; the wildcard region is refused, as the real one does."""
        location, _ = parse_resource_name(request.parent)
        if location.region == "-":
            raise invalid_argument("parent must name a region")
        found: list[Any] = [
            messages.service_message(application, service)
            for application in self._estate.applications_in(location)
            for service in application.run_services()
        ]
        found = sorted([*found, *self._plain.services(location)], key=lambda one: str(one.name))
        shown, token = page(
            found, lambda one: str(one.name), request.page_size, request.page_token, MAX_PAGE_SIZE
        )
        response: Message = run_v2.ListServicesResponse.pb()(services=shown, next_page_token=token)
        return response

    def UpdateService(self, request: Any, _context: grpc.ServicerContext) -> Message:
        """The operation that brings a service to another traffic list, scaling or template.

        What is asked for stands in the service at once, under another etag; the routers follow
        when the operation is done. A change that comes before that takes the older one's place,
        whose operation ends ABORTED (how the real one ends is not documented).
        A new template becomes a revision at once; other instances make none.
        """
        location, (name,) = parse_resource_name(request.service.name, "services")
        self._quota.spend_write(location, dry_run=request.validate_only)
        if (owned := self._find_owner(request.service.name, allow_missing=request.allow_missing)) is None:
            said = "A service is created and changed with its function, by Cloud Functions."
            raise StatusError(grpc.StatusCode.UNIMPLEMENTED, said)
        application = owned[0]
        change = partial(self._change, application, request.service, request.update_mask.paths)
        if request.validate_only:
            preview = change(lambda: ORDINARY_COURSE, application.service(name), self._clock.now())
            return _dry_run(application, location, preview)
        fate = partial(self._faults.fate, f"operation {request.service.name}")
        service = application.update(name, partial(change, fate))
        begun = service.changes[-1]
        return messages.operation_message(application, service, begun, begun.started_at)

    def _change(
        self,
        application: Application,
        asked: Any,
        paths: Collection[str],
        fate: Callable[[], Fate],
        seen: ApplicationService,
        now: datetime,
    ) -> ApplicationService:
        """What to make of the service as it is found; its fate is drawn once nothing refuses it.

        Raises: Refused.
        """
        if asked.etag and asked.etag != messages.etag(seen):
            raise StatusError(
                grpc.StatusCode.ABORTED,
                f"Conflict for resource '{seen.name}': etag {asked.etag} was specified but "
                f"current etag is {messages.etag(seen)}",
            )
        changed, wanted = read_update(asked, messages.service_message(application, seen), paths)
        grown, traffic = seen, seen.traffic
        if "template" in changed:
            grown = _apply_template(application, seen, wanted.template, now)
        if "traffic" in changed:
            traffic = targets.read_traffic_targets(wanted.traffic, grown)
        if "scaling" in changed:
            grown = replace(grown, scaling=scalings.read_scaling(wanted.scaling))
        unusual = fate()
        due_at = now + self._rollouts.duration(seen.name) + unusual.delay
        failure = unusual.failure or self._rollouts.failure(seen.name)
        return redirect_traffic(grown, traffic, application.change(seen, now, due_at, failure))


def _apply_template(
    application: Application, service: ApplicationService, template: Any, now: datetime
) -> ApplicationService:
    """The service with a revision of that template, unless it is the one it has.

    The image tells which release the new revision runs; an unknown image is a release of its own.
    """
    if template == messages.template_message(application, service):
        return service
    asked, name = template.revision, template.revision or application.next_revision_name(service)
    allowed = re.fullmatch(rf"{re.escape(service.name)}-[a-z0-9-]*[a-z0-9]", asked)
    if asked and (len(asked) > MAX_REVISION_LENGTH or not allowed):
        raise invalid_argument(f"template.revision '{asked}' is not {service.name}-SUFFIX in lower case")
    if service.revision(name) is not None:
        raise StatusError(grpc.StatusCode.ALREADY_EXISTS, f"Revision '{name}' already exists")
    image = template.containers[0].image
    source = next(
        (
            revision
            for revision in reversed(service.revisions)
            if messages.image_of(application, service, revision) == image
        ),
        ServiceRevision(name, image, now),
    )
    grown = add_revision(service, replace(source, name=name, created_at=now, starts=True))
    return replace(
        grown,
        generation=service.generation,  # the change that carries the template counts it
        observed_generation=service.observed_generation,
    )


def _dry_run(application: Application, location: Location, preview: ApplicationService) -> Message:
    """An operation that is over already, with what the service would have been asked for."""
    name = uuid.uuid5(uuid.UUID(preview.uid), f"validate {preview.generation}")
    operation = operations_pb2.Operation(name=f"{location}/operations/{name}", done=True)
    shown = messages.service_message(application, preview)
    operation.metadata.Pack(shown)
    operation.response.Pack(shown)
    return operation
