"""What the protected systems have beside their functions, as their REST APIs show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from local import projects, scheduler, secrets
from local.application import Application
from local.clock import CloudClock
from local.firebase import hosting, identity, remote_config, rules
from local.journal import Journal
from local.rest import Call
from local.run.messages import service_account

JOB = "nightly"
SECRET = "PAYMENT_KEY"  # noqa: S105 - the name of one


class Surroundings:
    """Hosting, Remote Config, Rules, Identity Platform, secrets, jobs and IAM of every project."""

    def __init__(self, clock: CloudClock, journal: Journal) -> None:
        self.hosting = hosting.Hosting(clock, journal)
        self.remote_config = remote_config.RemoteConfig(clock, journal)
        self.rules = rules.Rules(clock, journal)
        self.identity = identity.Identity(journal)
        self.secrets = secrets.Secrets(clock, journal)
        self.scheduler = scheduler.Scheduler(clock, journal)
        self.projects = projects.Projects(journal)

    def found(self, application: Application, since: datetime) -> None:
        """Give a system what its policy says it has, as far as it is not there."""
        project, region = application.project, application.region
        resources = application.policy.resources
        for site in resources.hosting_sites:
            self.hosting.found(project, site, since)
        for release in resources.releases:
            self.rules.found(project, release, since)
        if resources.remote_config:
            self.remote_config.found(project, since)
        if resources.identity:
            self.identity.found(project)
        if resources.secrets is not None:
            self.secrets.found(project, f"{resources.secrets}{SECRET}", since)
        if resources.schedules is not None:
            uri = f"https://{project}.example/{JOB}"
            self.scheduler.found(project, region, f"{resources.schedules}{JOB}", uri, since)
        self.projects.found(project, service_account(application))

    def products(self) -> Mapping[str, Sequence[Call]]:
        """The calls of each product, by its host."""
        return {
            hosting.HOST: self.hosting.calls(),
            remote_config.HOST: self.remote_config.calls(),
            rules.HOST: self.rules.calls(),
            identity.HOST: self.identity.calls(),
            secrets.HOST: self.secrets.calls(),
            scheduler.HOST: self.scheduler.calls(),
            projects.HOST: self.projects.calls(),
        }
