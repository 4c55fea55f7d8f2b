"""What the control plane can do to the applications, and what it tells about them."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from local.application import Application, FailureStep, Part
from local.application.document_traffic import DocumentTraffic
from local.application.latency import quantile
from local.application.service import ApplicationService, RevisionConfiguration
from local.control.requests import BadRequest, decode_request
from local.core.clock import CloudClock

MINUTE = timedelta(minutes=1)

Rate = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class ErrorStep(Struct, forbid_unknown_fields=True):
    """From that age on the release fails at another rate."""

    after_seconds: Seconds
    failure_rate: Rate


class DeployRequest(Struct, forbid_unknown_fields=True):
    """Deploy a release to functions, to groups of them, or to all of a system (default: first)."""

    release: str
    system: str | None = None
    functions: list[str] | None = None
    groups: list[str] | None = None
    failure_rate: Rate = 0.0
    latency_seconds: Seconds = 0.05
    starts: bool = True
    errors: list[ErrorStep] = []
    corruption: Rate = 0.0
    configuration: RevisionConfiguration | None = None


class Degradation(Struct, forbid_unknown_fields=True):
    """Let a revision of a function (default: its latest) be otherwise, without a deployment."""

    function: str
    revision: str | None = None
    system: str | None = None
    failure_rate: Rate | None = None
    latency_seconds: Seconds | None = None
    starts: bool | None = None


class PartChange(Struct, forbid_unknown_fields=True):
    """Let the site, the sign-ins, or the database's reads or writes be otherwise."""

    part: Part
    system: str | None = None
    release: str | None = None
    failure_rate: Rate | None = None
    latency_seconds: Seconds | None = None


class SetCallsRequest(Struct, forbid_unknown_fields=True):
    """Let each request to a function call one of each list: functions, or parts."""

    function: str
    calls: list[list[str]]
    system: str | None = None


class WriteDocumentsRequest(Struct, forbid_unknown_fields=True):
    """Let a function (default: the first) write documents into the application's database."""

    per_minute: int
    function: str | None = None
    system: str | None = None


class ApplicationControl:
    """Every application of one cloud, as it is set and as it is told."""

    def __init__(
        self,
        applications: Mapping[str, Application],
        records: Mapping[str, DocumentTraffic],
        clock: CloudClock,
    ) -> None:
        self._applications = applications
        self._records = records
        self._clock = clock
        self._verbs: dict[str, Callable[[bytes], dict[str, Any]]] = {
            "deploy": self._deploy,
            "degrade": self._degrade,
            "part": self._change_part,
            "calls": self._call,
            "records": self._write,
        }

    def apply_change(self, verb: str, body: bytes) -> dict[str, Any] | None:
        """Do what is asked, and tell what came of it; None for an unknown verb.

        Raises: BadRequest.
        """
        do = self._verbs.get(verb)
        if do is None:
            return None
        try:
            return do(body)
        except KeyError as error:
            raise BadRequest(f"unknown: {error.args[0]}") from error
        except ValueError as error:
            raise BadRequest(str(error)) from error

    def describe_state(self, system: str | None) -> dict[str, Any]:
        """Per system and function: service, revision, release, failure rate, traffic."""
        return {
            name: {service.function: _describe_service(service) for service in application.services()}
            for name, application in self._chosen(system).items()
        }

    def measures(self, system: str | None) -> dict[str, Any]:
        """Per system what the last minute has brought: functions, parts, documents."""
        return {name: self._measured(name, application) for name, application in self._chosen(system).items()}

    def _deploy(self, body: bytes) -> dict[str, Any]:
        asked = decode_request(body, DeployRequest)
        application = self._application(asked.system)
        services = application.deploy(
            _functions(application, asked),
            release=asked.release,
            failure_rate=asked.failure_rate,
            latency=timedelta(seconds=asked.latency_seconds),
            starts=asked.starts,
            errors=[
                FailureStep(timedelta(seconds=step.after_seconds), step.failure_rate) for step in asked.errors
            ],
            corruption=asked.corruption,
            configuration=asked.configuration,
        )
        return {
            service.function: {"service": service.name, "revision": service.latest_created.name}
            for service in services
        }

    def _degrade(self, body: bytes) -> dict[str, Any]:
        asked = decode_request(body, Degradation)
        service = self._application(asked.system).degrade(
            asked.function,
            asked.revision,
            failure_rate=asked.failure_rate,
            starts=asked.starts,
            latency=_to_timedelta(asked.latency_seconds),
        )
        return {service.function: _describe_service(service)}

    def _change_part(self, body: bytes) -> dict[str, Any]:
        asked = decode_request(body, PartChange)
        parts = self._application(asked.system).parts
        parts.change_part(
            asked.part,
            release=asked.release,
            failure_rate=asked.failure_rate,
            latency=_to_timedelta(asked.latency_seconds),
        )
        now = parts.now(asked.part)
        return {
            asked.part: {
                "release": now.revision,
                "failure_rate": now.failure_rate,
                "latency_seconds": now.latency.total_seconds(),
            }
        }

    def _call(self, body: bytes) -> dict[str, Any]:
        asked = decode_request(body, SetCallsRequest)
        application = self._application(asked.system)
        application.set_callees(asked.function, tuple(tuple(group) for group in asked.calls))
        return {asked.function: application.calls(asked.function)}

    def _write(self, body: bytes) -> dict[str, Any]:
        asked = decode_request(body, WriteDocumentsRequest)
        records = self._records[self._application(asked.system).policy.system]
        progress: dict[str, Any] = msgspec.to_builtins(records.write(asked.per_minute, asked.function))
        return progress

    def _measured(self, system: str, application: Application) -> dict[str, Any]:
        end = self._clock.now()
        start = end - MINUTE
        functions = {}
        for function in application.policy.functions:
            requests = application.requests(function, start, end)
            mix = application.latencies(function, start, end)
            functions[function] = {
                "requests": requests.total,
                "failed": requests.failed,
                "p50_seconds": _seconds(quantile(mix, 0.5)),
                "p95_seconds": _seconds(quantile(mix, 0.95)),
            }
        parts = {part: application.parts.requests([part], start, end) for part in Part}
        records = self._records[system]
        return {
            "functions": functions,
            "parts": {part: {"requests": one.total, "failed": one.failed} for part, one in parts.items()},
            "records": {
                "written": records.progress.written if records.progress else 0,
                "damaged": len(records.damaged_documents()),
            },
        }

    def _chosen(self, system: str | None) -> Mapping[str, Application]:
        return self._applications if system is None else {system: self._application(system)}

    def _application(self, system: str | None) -> Application:
        name = system if system is not None else next(iter(self._applications))
        if name not in self._applications:
            raise BadRequest(f"unknown system: {name}")
        return self._applications[name]


def _functions(application: Application, asked: DeployRequest) -> list[str] | None:
    """The functions to deploy; None means all. Raises: KeyError for an unknown group."""
    if asked.groups is None:
        return asked.functions
    groups = application.policy.groups
    grouped = [function for name in asked.groups for function in groups[name].functions]
    return [*(asked.functions or ()), *grouped]


def _describe_service(service: ApplicationService) -> dict[str, Any]:
    flows = service.periods[-1].flows
    releases = (service.revision(flow.revision) for flow in flows)
    return {
        "service": service.name,
        "revision": service.latest_created.name,
        "release": service.latest_created.release,
        "failure_rate": sum(flow.share * flow.failure_rate for flow in flows),
        "traffic": {flow.revision: round(flow.share * 100) for flow in flows},
        "serving": sorted({revision.release for revision in releases if revision is not None}),
    }


def _to_timedelta(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
