"""What the protected systems have beside their functions, as their REST APIs show it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from local.application import Application, Part
from local.core.clock import CloudClock
from local.core.iam_policies import IamPolicies
from local.core.journal import Journal
from local.core.projects import ProjectDirectory
from local.core.resource_store import ResourceStore
from local.core.resources import ResourceCollection
from local.core.rest import Resource, RestMethod
from local.services import eventarc
from local.services.artifact_registry import repositories
from local.services.billing import budgets
from local.services.billing.budgets import BUDGETS
from local.services.firebase import hosting, identity, remote_config, rules
from local.services.functions import runtimes
from local.services.iam import project_policies, service_accounts
from local.services.iam.grants import GrantRules
from local.services.iam.permissions import read_permissions
from local.services.iam.roles import Roles
from local.services.kms import keys
from local.services.logging import configuration
from local.services.logging.configuration import LoggingConfiguration
from local.services.monitoring.resources import MonitoringResources
from local.services.pubsub import PubSub
from local.services.run.messages import service_account
from local.services.scheduler import jobs
from local.services.secret_manager import secrets
from local.services.security_center import notifications
from local.services.security_center.notifications import NOTIFICATION_CONFIGS
from local.services.service_usage.enabled_services import EnabledServices
from local.services.workload_identity import agents

JOB = "nightly"
SECRET = "PAYMENT_KEY"  # noqa: S105 - the name of one
FAILURE_RATE_LABEL = "failure-rate"
"""The label of a version of Hosting that says how often the site fails which it serves."""


class SystemResources:
    """Hosting, Remote Config, Rules, Identity Platform, secrets, jobs, triggers, images, IAM."""

    def __init__(
        self,
        clock: CloudClock,
        journal: Journal,
        pubsub: PubSub,
        directory: ProjectDirectory,
        *,
        strict: bool = False,
    ) -> None:
        """`strict`: an API is off until it is switched on, an agent absent until it is needed."""
        self.hosting = hosting.HostingService(clock, journal)
        self.remote_config = remote_config.RemoteConfigService(clock, journal)
        self.rules = rules.RulesService(clock, journal)
        self.identity = identity.IdentityPlatformService(journal)
        self.grants = GrantRules(
            lambda email: self.accounts.is_there(email),
            lambda email: not strict or self._has_agent(email),
            lambda role: self.roles.is_there(role),
            directory,
        )
        policies = IamPolicies(ResourceStore(journal, "policies"), self.grants.check)
        self.accounts = service_accounts.ServiceAccounts(clock, journal, policies)
        self.roles = Roles(clock, journal, read_permissions())
        self.projects = project_policies.Projects(
            IamPolicies(ResourceStore(journal, "projects"), self.grants.check)
        )
        self.secrets = secrets.Secrets(clock, journal, policies)
        self.scheduler = jobs.SchedulerService(clock, journal)
        self.eventarc = eventarc.Eventarc(clock, journal, pubsub, self.grants.require_account)
        self.registry = repositories.ImageRegistry(clock, journal, policies)
        self.keys = keys.CryptoKeys(policies)
        self.agents = agents.ServiceAgents(journal)
        self.services = EnabledServices(journal, self.agents, strict=strict)
        self._logs = LoggingConfiguration(clock, journal)
        self.monitoring = MonitoringResources(clock, journal, self._logs.has_metric)
        budget = ResourceCollection(BUDGETS, ResourceStore(journal, "budgets"), clock)
        self._findings = ResourceStore(journal, "findings")
        findings = ResourceCollection(NOTIFICATION_CONFIGS, self._findings, clock)
        self.collections: Mapping[str, Sequence[ResourceCollection]] = {
            secrets.HOST: (self.secrets,),
            jobs.HOST: (self.scheduler,),
            service_accounts.HOST: (self.accounts, self.roles),
            repositories.HOST: (self.registry,),
            configuration.HOST: self._logs.collections,
            budgets.HOST: (budget,),
            notifications.HOST: (findings,),
        }
        """Of each product that only stores what is declared, by its host."""
        self.runtimes = runtimes.Runtimes()
        self._applications: list[Application] = []
        self.hosting.served = self._site_serves
        self.identity.configured = self._people_sign_in

    def provision(self, application: Application, since: datetime) -> None:
        """Give a system what its policy says it has, as far as it is not there.

        From then on its site fares as the version that it serves, and its sign-ins as they are
        configured.
        """
        self._applications.append(application)
        self.services.provision(application.project)
        project, region = application.project, application.region
        resources = application.policy.resources
        for site in resources.hosting_sites:
            self.hosting.provision(project, site, since)
        for release in resources.releases:
            self.rules.provision(project, release, since)
        if resources.remote_config:
            self.remote_config.provision(project, since)
        if resources.identity:
            self.identity.provision(project)
        if resources.secrets is not None:
            self.secrets.provision(project, f"{resources.secrets}{SECRET}", since)
        if resources.schedules is not None:
            uri = f"https://{project}.example/{JOB}"
            self.scheduler.provision(project, region, f"{resources.schedules}{JOB}", uri, since)
        self.projects.provision(project, service_account(application))
        self.accounts.provision(project, service_account(application))
        self.registry.provision(application)
        self.eventarc.provision(application)

    def products(self) -> Mapping[str, Sequence[RestMethod]]:
        """The calls of each product, by its host."""
        return {
            hosting.HOST: self.hosting.calls(),
            remote_config.HOST: self.remote_config.calls(),
            rules.HOST: self.rules.calls(),
            identity.HOST: self.identity.calls(),
            **{
                host: tuple(call for one in held for call in one.calls())
                for host, held in self.collections.items()
            },
            eventarc.HOST: self.eventarc.calls(),
            project_policies.HOST: self.projects.calls(),
            project_policies.BILLING_HOST: self.projects.billing_calls(),
            agents.HOST: self.agents.calls(),
            keys.HOST: self.keys.calls(),
        }

    def _has_agent(self, email: str) -> bool:
        """Whether an agent is there: somebody has asked for it, or its service needs it."""
        publishes = any(one["serviceAccount"] == email for one in self._findings.under("projects/"))
        return (
            publishes
            or self.agents.is_there(email)
            or self._logs.has_writer(email)
            or self.monitoring.has_notifier(email)
        )

    def _site_serves(self, site: str, version: Resource) -> None:
        failing = float(version.get("labels", {}).get(FAILURE_RATE_LABEL, 0))
        for one in self._applications:
            if site in one.policy.resources.hosting_sites:
                release = str(version["name"]).rpartition("/")[2]
                one.parts.change_part(Part.SITE, release=release, failure_rate=failing)

    def _people_sign_in(self, project: str, config: Resource) -> None:
        """Nobody does where signing in by e-mail is off: this application knows no other way."""
        by_mail = identity.allows_email_sign_in(config)
        for one in self._applications:
            if one.project == project:
                one.parts.change_part(Part.SIGN_INS, failure_rate=0.0 if by_mail else 1.0)
