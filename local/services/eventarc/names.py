"""What Eventarc calls its triggers' topics and subscriptions, and Functions its triggers."""

from local.application import Application, names
from local.application.applications import location_of
from local.application.service import ApplicationService


def trigger_of(application: Application, service: ApplicationService) -> str:
    """The full name of the trigger that brings a function its events."""
    return f"{location_of(application)}/triggers/{service.name}-{_derive_digits(service.name, 6)}"


def messages_of(application: Application, service: ApplicationService) -> str:
    """The full name of the topic whose messages are a function's events."""
    return f"projects/{application.project}/topics/{service.name}-events"


def topic_of(trigger: str) -> str:
    """The full name of the topic that Eventarc makes for a trigger."""
    return f"{_project(trigger)}/topics/{_resource_prefix(trigger)}-{_derive_digits(trigger, 3)}"


def subscription_of(trigger: str) -> str:
    """The full name of the subscription that brings a trigger's events to where it leads."""
    name = f"{_resource_prefix(trigger)}-sub-{_derive_digits(trigger, 3)}"
    return f"{_project(trigger)}/subscriptions/{name}"


def _project(trigger: str) -> str:
    return trigger.partition("/locations/")[0]


def _resource_prefix(trigger: str) -> str:
    _, _, _, location, _, short = trigger.split("/")
    return f"eventarc-{location}-{short}"


def _derive_digits(name: str, digits: int) -> str:
    """So many digits that tell one name from another."""
    return f"{int(names.digest(name)[:8], 16) % 10**digits:0{digits}}"
