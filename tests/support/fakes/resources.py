"""Everything that a system has beside its functions, in memory."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from shared.core.codec import from_json
from shared.core.errors import Exists, Gone, Moved, Rejected, Unavailable
from shared.domain.data.events.document_triggers import EventarcTrigger
from shared.domain.data.ttl import TtlField
from shared.domain.deployments.images import Cleanup, StoredImage
from shared.domain.deployments.inventory.inventory_parts import (
    LIVE_CHANNEL,
    AccountState,
    Generation,
    HostingSite,
    Index,
    RemoteConfigTemplate,
    RulesRelease,
    RulesSource,
    SchedulerJob,
    SecretVersion,
    flatten_settings,
    is_creatable,
    is_secret_path,
    json_fingerprint,
)
from shared.domain.deployments.restorability import FINALIZED
from shared.ports.resources import UserPage
from tests.support.fakes.runtime.clock import START
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook

FIELDS = frozenset({"signIn", "mfa", "blockingFunctions", "smsRegionConfig", "authorizedDomains"})
"""Those of Identity Platform that there are here."""
PAGE = 50
EMPTY_TEMPLATE = RemoteConfigTemplate("0", "etag-0", "")


class FakeEstate:
    """An Estate that is what a test sets it to; at the beginning there is nothing in it.

    It is each of its own parts. Verbs for the hook: hosting.site, .version, .release,
    remote_config.template, .validate, .publish, rules.releases, .ruleset, .create_ruleset,
    .enforce, identity.settings, .configure, sessions.people, .end, indexes.of, .create,
    .expiries,
    secrets.names, secrets.versions, schedules.jobs, triggers.every,
    accounts.roles, accounts.grants, accounts.state, images.stored, images.cleanup,
    runtimes.offered.
    """

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.effects: list[str] = []
        """What took effect, in order."""
        self.sites: dict[str, HostingSite] = {}
        self.statuses: dict[tuple[str, str], str] = {}
        """Of the versions that there are, by site and version."""
        self.rulesets: dict[str, RulesSource] = {}
        self.published = EMPTY_TEMPLATE
        self.released: dict[str, RulesRelease] = {}
        self.configured: dict[str, Any] = {}
        self.declared: list[Index] = []
        self.new_indexes_are = "READY"
        self.expiring: dict[str, list[TtlField]] = {}
        """By what documents expire, by database."""
        self.held: dict[tuple[str, str], datetime] = {}
        """When each document was written last, by database and path."""
        self.kept: dict[str, dict[str, SecretVersion]] = {}
        self.scheduled: dict[str, SchedulerJob] = {}
        self.hearing: list[EventarcTrigger] = []
        self.unreachable: list[str] = []
        """Locations of triggers that give no answer."""
        self.granted: dict[str, tuple[str, ...]] = {}
        self.permitted: dict[str, frozenset[str]] = {}
        self.account_states = {"runtime@demo": AccountState.ENABLED}
        """Of the accounts that there are, by address."""
        self.pushed: dict[str, dict[str, StoredImage]] = {}
        """The images that can be pulled, by repository and name."""
        self.cleaned: dict[str, Cleanup] = {}
        """How repositories are cleaned up."""
        self.sessions_since: dict[str, int] = {}
        """Of each person the second before which no session counts, by id."""
        self.hosting = self.remote_config = self.rules = self.identity = self.sessions = self
        self.indexes = self.secrets = self.schedules = self.accounts = self
        self.triggers = self
        self.supported = {(one, "nodejs20") for one in Generation}
        """The runtimes that are not decommissioned, by generation."""
        self.images = self.runtimes = self

    def site(self, name: str) -> HostingSite | None:
        """What a site serves; None when there is no such site."""
        with ask_hook_around(self.hook, "hosting.site"):
            return self.sites.get(name)

    def version(self, site: str, version: str) -> str | None:
        """The status of a version; None when it is gone."""
        with ask_hook_around(self.hook, "hosting.version"):
            return self.statuses.get((site, version))

    def release(self, site: str, channel: str, version: str, message: str) -> None:
        """Let a channel serve a version. Raises: Moved, Rejected."""
        with ask_hook_around(self.hook, "hosting.release"):
            self.land_release(site, channel, version)

    def land_release(self, site: str, channel: str, version: str) -> None:
        """A release takes effect."""
        status, known = self.statuses.get((site, version)), self.sites.get(site)
        if status is None or known is None:
            raise Rejected(f"NOT_FOUND: {site} {version}")
        serves = known.served_versions
        if channel not in serves:
            raise Rejected(f"NOT_FOUND: {site} {channel}")
        if status != FINALIZED or serves[channel] == version:
            raise Moved(f"FAILED_PRECONDITION: {version} is {status}, or live")
        self.effects.append(f"{site} {channel} serves {version}")
        if channel == LIVE_CHANNEL:
            self.sites[site] = replace(known, version=version)
        else:
            channels = {**known.channels, channel: version}
            self.sites[site] = replace(known, channels=channels)

    def template(self) -> RemoteConfigTemplate:
        """What is published."""
        with ask_hook_around(self.hook, "remote_config.template"):
            return self.published

    def publish(self, content: str, etag: str, *, dry_run: bool = False) -> None:
        """Publish over the template at `etag`. Raises: Moved on another one."""
        with ask_hook_around(self.hook, "remote_config.validate" if dry_run else "remote_config.publish"):
            if etag in ("", "*"):
                raise Rejected("a template is published over a known one only")
            if etag != self.published.etag:
                raise Moved("FAILED_PRECONDITION: VERSION_MISMATCH")
            if not dry_run:
                self.effects.append("a template is published")
                self.land_template(content)

    def land_template(self, content: str) -> None:
        """A template takes effect, as a version of its own."""
        number = int(self.published.version) + 1
        said = json_fingerprint(from_json(content))
        self.published = RemoteConfigTemplate(str(number), f"etag-{number}", said, content)

    def releases(self) -> dict[str, RulesRelease]:
        """Every release, by name."""
        with ask_hook_around(self.hook, "rules.releases"):
            return dict(self.released)

    def ruleset(self, name: str) -> RulesSource | None:
        """What a ruleset says; None when it is gone."""
        with ask_hook_around(self.hook, "rules.ruleset"):
            return self.rulesets.get(name)

    def create_ruleset(self, source: RulesSource) -> str:
        """The name of a new ruleset."""
        with ask_hook_around(self.hook, "rules.create_ruleset"):
            name = f"made-{len(self.rulesets) + 1}"
            self.rulesets[name] = source
            return name

    def enforce(self, release: str, ruleset: str, *, new: bool = False) -> None:
        """Let a release lead to a ruleset. Raises: Exists, Rejected."""
        with ask_hook_around(self.hook, "rules.enforce"):
            known = self.released.get(release)
            if new and known is not None:
                raise Exists(f"ALREADY_EXISTS: {release}")
            if ruleset not in self.rulesets or (known is None and not new):
                raise Rejected(f"NOT_FOUND: {release} {ruleset}")
            self.effects.append(f"{release} enforces {ruleset}")
            at = known.updated_at if known else START
            self.released[release] = RulesRelease(ruleset, at)

    def settings(self) -> dict[str, Any]:
        """Each setting by its path."""
        with ask_hook_around(self.hook, "identity.settings"):
            return dict(self.configured)

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Set these settings alone. Raises: Rejected."""
        with ask_hook_around(self.hook, "identity.configure"):
            unknown = [path for path in changes if path.partition(".")[0] not in FIELDS]
            if not changes or unknown or any(map(is_secret_path, changes)):
                raise Rejected(f"no such change is taken: {', '.join(changes)}")
            self.effects.append(f"set {', '.join(sorted(changes))}")
            for path, value in changes.items():
                for known in [*self.configured]:
                    if known == path or known.startswith(f"{path}."):
                        del self.configured[known]
                if value is not None:
                    nested: dict[str, Any] = {path: value}
                    self.configured.update(flatten_settings(nested))

    def people(self, cursor: str, since: datetime) -> UserPage:
        """A page of those who sign in."""
        with ask_hook_around(self.hook, "sessions.people"):
            rest = sorted(one for one in self.sessions_since if one > cursor)
            page, second = rest[:PAGE], int(since.timestamp())
            older = tuple(one for one in page if self.sessions_since[one] < second)
            return UserPage(older, page[-1] if len(rest) > PAGE else "")

    def end(self, person: str, since: datetime) -> None:
        """No session of before counts any more. Raises: Rejected when there is no such person."""
        with ask_hook_around(self.hook, "sessions.end"):
            if person not in self.sessions_since:
                raise Rejected("USER_NOT_FOUND")
            self.sessions_since[person] = int(since.timestamp())

    def of(self, database: str) -> dict[str, Index]:
        """The indexes of one database, by definition."""
        with ask_hook_around(self.hook, "indexes.of"):
            return {one.definition: one for one in self.declared if one.database == database}

    def create(self, index: Index) -> str:
        """Begin to make an index, which is there at once. Raises: Exists, Rejected."""
        with ask_hook_around(self.hook, "indexes.create"):
            if not is_creatable(index):
                raise Rejected(f"{index.definition}: not made again")
            if any(one.definition == index.definition for one in self.declared):
                raise Exists("ALREADY_EXISTS: index already exists")
            self.effects.append(f"index {index.definition}")
            self.declared.append(replace(index, state=self.new_indexes_are))
            return f"projects/shop/databases/{index.database}/operations/{len(self.declared)}"

    def expiries(self, database: str) -> list[TtlField]:
        """By what documents of one database expire."""
        with ask_hook_around(self.hook, "indexes.expiries"):
            return sorted(self.expiring.get(database, ()), key=lambda one: one.group)

    def names(self) -> list[str]:
        """The name of every secret."""
        with ask_hook_around(self.hook, "secrets.names"):
            return sorted(self.kept)

    def versions(self, secret: str) -> dict[str, SecretVersion]:
        """The versions of one secret, by number; none when it is gone."""
        with ask_hook_around(self.hook, "secrets.versions"):
            return dict(self.kept.get(secret, {}))

    def jobs(self) -> dict[str, SchedulerJob]:
        """Every job, by name."""
        with ask_hook_around(self.hook, "schedules.jobs"):
            return dict(self.scheduled)

    def list_triggers(self) -> list[EventarcTrigger]:
        """Every trigger. Raises: Unavailable where a location gives no answer."""
        with ask_hook_around(self.hook, "triggers.every"):
            if self.unreachable:
                raise Unavailable(f"no answer of {', '.join(self.unreachable)}")
            return list(self.hearing)

    def roles(self) -> dict[str, tuple[str, ...]]:
        """The roles of each service account, by its address."""
        with ask_hook_around(self.hook, "accounts.roles"):
            return dict(self.granted)

    def permissions(self, role: str) -> frozenset[str]:
        """The permissions of a custom role. Raises: Gone."""
        with ask_hook_around(self.hook, "accounts.permissions"):
            if role not in self.permitted:
                raise Gone(role)
            return self.permitted[role]

    def grants(self) -> dict[str, tuple[str, ...]]:
        """Whom the project gives each role."""
        with ask_hook_around(self.hook, "accounts.grants"):
            held = [(role, account) for account, roles in self.granted.items() for role in roles]
            members: dict[str, set[str]] = {}
            for role, account in held:
                bare = role.partition(" if ")[0]
                members.setdefault(bare, set()).add(f"serviceAccount:{account}")
            return {role: tuple(sorted(named)) for role, named in members.items()}

    def state(self, account: str) -> AccountState:
        """Whether anything can run as the account of that address."""
        with ask_hook_around(self.hook, "accounts.state"):
            return self.account_states.get(account, AccountState.GONE)

    def list_images(self, repository: str) -> dict[str, StoredImage]:
        """Every image of a repository as it is pulled."""
        with ask_hook_around(self.hook, "images.stored"):
            return dict(self.pushed.get(repository, {}))

    def cleanup(self, repository: str) -> Cleanup:
        """How a repository is cleaned up."""
        with ask_hook_around(self.hook, "images.cleanup"):
            return self.cleaned.get(repository, Cleanup())

    def list_runtimes(self) -> frozenset[tuple[Generation, str]]:
        """Every runtime that is not decommissioned."""
        with ask_hook_around(self.hook, "runtimes.offered"):
            return frozenset(self.supported)
