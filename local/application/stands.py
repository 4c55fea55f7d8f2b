"""A service of the application that is no function: copies of its functions' revisions start there.

Found there when the policy names one, as terraform/starts.tf makes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from local.application import names
from local.application.service import Configuration, Revision, Service, routed

if TYPE_CHECKING:
    from local.application.application import Application

FIRST = "placeholder"
"""The release that Terraform puts there."""


def founded(name: str, seed: str, since: datetime) -> Service:
    """The stand as it is when it was made: nobody may call it, and nothing is copied yet."""
    uid = uuid.uuid5(uuid.NAMESPACE_URL, f"{seed}/{name}")
    first = Revision(f"{name}-new", FIRST, since)
    made = Service("", name, str(uid), since, since, (first,), invokers=(), asked=False)
    return routed(made, since)


def is_one(service: Service) -> bool:
    """Whether a service is none of a function."""
    return not service.function


def copied(application: Application, template: Any, name: str, now: datetime) -> Revision:
    """The revision of a stand that a template makes, with why it does not come up."""
    container = template.containers[0] if template.containers else None
    image = container.image if container is not None else ""
    found = next((one for one in _revisions(application) if one[1] == image), None)
    source = found[0] if found is not None else Revision(name, image, now)
    made = replace(
        source,
        name=name,
        created_at=now,
        configuration=_configured(template, container, source),
        labels=dict(template.labels),
    )
    why = _why_not(application, source, template, known=found is not None)
    return replace(made, starts=not why, failure=why)


def _revisions(application: Application) -> Iterator[tuple[Revision, str]]:
    """Every revision of the functions, with the function whose image it runs, and that image."""
    for service in application.services():
        for one in service.revisions:
            image = names.image(
                application.project, application.region, service.function, one.release
            )
            yield replace(one, function=service.function), image


def _configured(template: Any, container: Any, source: Revision) -> Configuration:
    """What the template gives the revision beside its code."""
    environment, secrets = dict[str, str](), dict[str, str]()
    for one in container.env if container is not None else ():
        reference = one.value_source.secret_key_ref
        if reference.secret:
            secrets[one.name] = f"{reference.secret.rpartition('/')[2]}/{reference.version}"
        elif one.name != "RELEASE":
            environment[one.name] = one.value
    return Configuration(
        environment,
        secrets,
        template.scaling.min_instance_count,
        template.scaling.max_instance_count,
        template.max_instance_request_concurrency or source.configuration.concurrency,
    )


def _why_not(application: Application, source: Revision, template: Any, *, known: bool) -> str:
    """Why an instance does not come up; empty: it does."""
    if not known or source.image_deleted:
        image = template.containers[0].image if template.containers else ""
        return f"Image '{image}' not found."
    checks = application.builds
    account = template.service_account
    if not checks.may_run_as(account):
        return f"Service account {account} is disabled or does not exist."
    bound = _configured(template, template.containers[0], source).secrets.values()
    lost = sorted(one for one in bound if not checks.is_enabled(one))
    if lost:
        return f"Secret {lost[0]} is not enabled."
    return "" if source.starts else "The container failed to start."
