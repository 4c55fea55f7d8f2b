"""Checks of one protected system: facts in, findings out."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from http import HTTPStatus

from cli.doctor.calls import PUSH_API, check_apis
from cli.doctor.finding import Findings, doubtful, name_first, require_read, unknown, unread, well, wrong
from cli.doctor.installation import metrics
from cli.doctor.system import backups, signals
from cli.doctor.system.facts import SystemFacts
from cli.support.output import format_lasting
from shared.adapters.gcp.permissions import application_roles
from shared.core.errors import RollbackError
from shared.core.text import count_noun, last_segment
from shared.core.topics import deployed_function
from shared.domain.decision.facts import ChangeSet
from shared.domain.decision.rebuild_selection import unrestorable_functions
from shared.domain.deployments import images
from shared.domain.deployments.deployment import Deployment, DeploymentStatus
from shared.domain.deployments.inventory.inventory_parts import codebases_of
from shared.domain.deployments.inventory.products import PRODUCTS, InventoryPart, is_protected
from shared.domain.deployments.inventory.traffic import traffic_shares
from shared.domain.policy.function_groups import GROUP_ADVICE, find_ungrouped, resolve_groups
from shared.domain.policy.scenario_names import Mode
from shared.domain.policy.system_policy import service_of
from shared.domain.presentation.status_page_html import HTML_CONTENT_TYPE
from shared.domain.system_record import active_freeze

RECENT_WINDOW = timedelta(days=7)
"""How long a notice that was given up counts against its channel."""
SHOWN_LINES = 2
"""Of the lines of a proof; `rollback deployments show` has all of them."""
SECRETIVE = ("credential", "key", "password", "private", "secret", "token")
"""Words in the names of settings that hold a secret."""


def check_channels(facts: SystemFacts) -> Findings:
    """Whether each channel accepts its notices."""
    for name, spoken in facts.spoken.items():
        if isinstance(spoken, RollbackError):
            yield unread(name, spoken)
            continue
        lately = [one for one in spoken.given_up if one.created_at > facts.now - RECENT_WINDOW]
        if lately:
            newest = max(lately, key=lambda one: one.created_at)
            why = f"given up within a week: {count_noun(len(lately), 'notice')}: {newest.last_error}"
            judged = doubtful if spoken.sent else wrong
            yield judged(name, why, "correct the channel, its secret or its address")
        elif spoken.sent:
            yield well(name, "it accepts its notices")
        else:
            yield unknown(name, "no notice was sent through it yet", "a drill sends one")


def check_status_page(facts: SystemFacts) -> Findings:
    """Whether everybody reads the status page, and no cache keeps it."""
    name = facts.policy.system
    page = require_read(facts.page, name)
    if page is None:
        why = "the page was not read: ROLLBACK_STATUS_BUCKET is not set here"
        yield unknown(name, why, "set it, if there is such a bucket")
    elif page.status != HTTPStatus.OK:
        why = f"its public address answers {page.status}: nobody reads it"
        yield wrong(name, why, "read the log of on_notice, and check who may read the bucket")
    elif page.content_type != HTML_CONTENT_TYPE:
        why = f"it is served as {page.content_type or 'nothing stated'}, not as {HTML_CONTENT_TYPE}"
        yield doubtful(name, why, "see docs/unverified.md")
    elif "no-cache" not in page.cache_control:
        why = f"caches may keep it ({page.cache_control or 'nothing stated'}): readers see it late"
        yield doubtful(name, why, "see docs/unverified.md")
    else:
        yield well(name, "everybody can read it, and no cache stores it")


def newest_stable(deployments: Iterable[Deployment]) -> Deployment | None:
    """The first STABLE one; None: there is none."""
    return next((one for one in deployments if one.status is DeploymentStatus.STABLE), None)


def check_proof(facts: SystemFacts) -> Findings:
    """Whether everything that a rollback to the newest stable deployment needs was observed."""
    stable = newest_stable(require_read(facts.deployments, facts.policy.system))
    if stable is None:
        return
    name, found = stable.id, stable.restorable
    if found is None:
        yield unknown(name, "it was not proven yet", "check again in a few minutes")
    elif found.faults:
        why = f"it cannot be restored completely: {name_first(found.faults, SHOWN_LINES)}"
        yield wrong(name, why, f"{_first_names(stable)}; restore these, or mark another as stable")
    elif found.unknown:
        why = f"these could not be checked: {name_first(found.unknown, SHOWN_LINES)}"
        yield unknown(name, why, "read the log of on_deployment")
    else:
        lines = (f"everything is available, as of {found.checked_at:%Y-%m-%d %H:%M}", *found.image_lines)
        judge = doubtful if found.image_warning or found.rebuilt else well
        yield judge(name, "; ".join(lines))


def sources_stored(facts: SystemFacts) -> Findings:
    """Whether the sources of its functions are stored."""
    stable = newest_stable(require_read(facts.deployments, facts.policy.system))
    if stable is None or stable.restorable is None:
        return
    if stable.restorable.rebuild:
        lacking = name_first(stable.restorable.rebuild, SHOWN_LINES)
        yield doubtful(stable.id, f"functions that cannot be rebuilt: {lacking}", _first_names(stable))
    else:
        yield well(stable.id, "the sources of its functions are stored")


def check_image_cleanup(facts: SystemFacts) -> Findings:
    """Whether the images of the last deployments stay, so that none is built again."""
    later, kept = facts.now + timedelta(seconds=1), facts.policy.deployments.kept
    for place, answer in facts.cleanup.items():
        found, oldest = require_read(answer, place), images.StoredImage(f"{place}/image@0", facts.now)
        newer = [images.StoredImage(f"{place}/image@{number}", later) for number in range(1, kept)]
        deleted_at = images.find_deletion_time(oldest, newer, found)
        stay = deleted_at - facts.now if deleted_at is not None else images.RETENTION
        if not found.cleanup_policies and found.labels.get(images.OPT_OUT_LABEL) != "true":
            why = "no clean-up policy: `firebase deploy` exits with 1, or with --force sets one of 1 day"
            yield doubtful(place, why, images.retention_command(place))
        elif stay < images.RETENTION:
            deleting = {name for name, one in found.policies.items() if one.action != images.KEEP}
            others = ", ".join(sorted(deleting - {images.FIREBASE_POLICY}))
            why = f"it deletes images after {format_lasting(stay)}; older deployments are rebuilt"
            then = f"; then correct the policies {others}" * bool(others)
            yield doubtful(place, why, images.retention_command(place) + then)
        else:
            yield well(
                place, f"it keeps the images of the last {kept} deployments, or {images.RETENTION.days} days"
            )


def _first_names(deployment: Deployment) -> str:
    return f"rollback deployments show {deployment.id} --system {deployment.system}"


def _mode(facts: SystemFacts) -> Findings:
    """How far automation may go, and what stops it."""
    name = facts.policy.system
    controls, system = require_read(facts.controls, name), require_read(facts.system, name)
    for its, found in ((f"--system {name}", system), ("--all", controls)):
        if found.pause is not None:
            yield doubtful(name, str(found.pause), f"rollback resume {its} --reason WHY")
        if (window := active_freeze(found.freezes, facts.now)) is not None:
            yield doubtful(name, str(window), f"rollback unfreeze {its} --reason WHY")
    off = "; automation is off until somebody promotes it" * (system.mode is Mode.OBSERVE)
    yield well(name, f"{system.mode.name.lower()}{off}")


def _stable(facts: SystemFacts) -> Findings:
    """Whether there is a stable deployment, and its revisions are ready."""
    name = facts.policy.system
    stable = newest_stable(require_read(facts.deployments, name))
    if stable is None:
        why = "no deployment is STABLE: a rollback has no target"
        yield wrong(name, why, f"rollback deployments baseline --system {name}")
        return
    inventory = require_read(facts.inventory, stable.id)
    both = {*stable.functions} & {*inventory} & {*facts.policy.functions}
    gone = unrestorable_functions(ChangeSet(stable, dict.fromkeys(both, stable.at)), inventory)
    if gone:
        to_do = "mark the live state as stable, if it is: rollback deployments baseline"
        yield wrong(stable.id, name_first([f"{function}: {why}" for function, why in gone.items()]), to_do)
    else:
        why = f"the newest stable one; with a ready revision of it: {count_noun(len(both), 'function')}"
        yield well(stable.id, why)


def _functions(facts: SystemFacts) -> Findings:
    """Whether the policy's functions are the live ones."""
    name, live = facts.policy.project, require_read(facts.inventory, facts.policy.project)
    functions = {**dict.fromkeys(live, ""), **codebases_of(facts.rest.function_states)}
    declared = resolve_groups(facts.policy, functions).functions
    ungrouped = find_ungrouped(facts.policy, functions)
    if missing := {*declared} - {*live}:
        why = f"in the policy and not live, or without a service: {name_first(missing)}"
        yield wrong(name, why, "correct the policy's groups")
    if ungrouped:
        why = f"live and in no group, so never rolled back: {name_first(ungrouped)}"
        yield doubtful(name, why, GROUP_ADVICE)
    if not missing and not ungrouped:
        groups = f"{count_noun(len(declared), 'function')} in {count_noun(len(facts.policy.groups), 'group')}"
        yield well(name, f"{groups}, all live, no other")


def _sources(facts: SystemFacts) -> Findings:
    """Whether each function shows the source that it was built from."""
    name, functions = facts.policy.project, facts.rest.functions
    if functions is None:
        why = "the functions could not be read completely: their sources are unknown"
        yield unknown(name, why, "do you have the rights?")
        return
    bare = [one.name for one in functions.values() if not (one.source and one.source.generation)]
    if bare:
        why = f"no source with its generation is known of {name_first(bare)}: they cannot be rebuilt"
        yield doubtful(name, why, "see docs/unverified.md")
    else:
        yield well(name, f"known of {count_noun(len(functions), 'function')}, each with its generation")


def _services(facts: SystemFacts) -> Findings:
    """Whether services are named as alerts name them."""
    name = facts.policy.system
    live = require_read(facts.inventory, name)
    other = [key for key, one in live.items() if last_segment(one.service.name) != service_of(key)]
    if other:
        yield doubtful(name, f"alerts on these do not name their function: {name_first(other)}")
    else:
        yield well(name, "named after their functions")


def _revisions(facts: SystemFacts) -> Findings:
    """Whether the newest ready revision of each service is in the list of revisions."""
    name = facts.policy.system
    inventory = require_read(facts.inventory, name)
    absent = [
        function
        for function, live in inventory.items()
        if live.service.latest_ready and live.revision(live.service.latest_ready) is None
    ]
    if absent:
        why = f"the list of revisions lacks the newest ready one of {name_first(absent)}"
        yield wrong(name, why, "do not trust restorability: see docs/unverified.md")
    else:
        yield well(name, f"{sum(len(live.revisions) for live in inventory.values())} are listed")


def _routers(facts: SystemFacts) -> Findings:
    """Whether the routers send requests as the services define."""
    name = facts.policy.system
    other = [
        function
        for function, live in require_read(facts.inventory, name).items()
        if not live.service.reconciling
        and traffic_shares(live.service.serving, live.service.latest_ready)
        != traffic_shares(live.service.traffic, live.service.latest_ready)
    ]
    if other:
        why = f"traffic does not go where the service defines: {name_first(other)}"
        yield doubtful(name, why, "check again in a minute; if it stays, see docs/unverified.md")
    else:
        yield well(name, "the traffic is as requested")


def _quota(facts: SystemFacts) -> Findings:
    """Whether the write quota is the declared one."""
    name = f"{facts.policy.project} {facts.policy.region}"
    admitted = require_read(facts.writes, name)
    declared = round(facts.policy.execution.write_quota.per_second * 60)
    if admitted is None:
        to_do = "compare with Write requests per minute of Cloud Run, in IAM & Admin, Quotas"
        yield unknown(name, f"declared: {declared} writes a minute; no such limit is listed", to_do)
    elif admitted == declared:
        yield well(name, f"{admitted} writes a minute")
    else:
        takes = "takes longer than forecast" if admitted < declared else "could be faster"
        why = f"{admitted} writes a minute, declared are {declared}: a rollback {takes}"
        yield doubtful(name, why, "correct execution.write_quota in the policy")


def _own_roles(facts: SystemFacts) -> Findings:
    """Whether each responder has its roles in the application, and each role its permissions."""
    name = facts.policy.project
    granted = require_read(facts.granted, name) if facts.accounts else None
    if granted is None:
        yield unknown(name, "the accounts of the responders are unknown, or nothing can be read here")
        return
    lacking = False
    for entry_point, wanted in application_roles(facts.policy).items():
        held = granted.get(facts.accounts.get(entry_point, ""), {})
        if missing := {
            f"{permission} in the role {role}" if role in held else f"the role {role}"
            for role, permissions in wanted.items()
            for permission in permissions - held.get(role, frozenset())
        }:
            lacking = True
            why = f"by the IAM policy and roles of the project, it lacks {name_first(missing)}"
            to_do = "terraform apply, unless a folder or the organisation grants it"
            yield wrong(deployed_function(entry_point), why, to_do)
    if not lacking:
        yield well(name, "the responders have their roles and permissions")


def _part(part: InventoryPart, facts: SystemFacts) -> Findings:
    """Whether one part that is protected beside revisions can be read."""
    wanted = part is InventoryPart.INVOKERS or is_protected(facts.policy.resources, part)
    found = getattr(facts.rest, part)
    if wanted and found is None:
        why = "could not be read, or not completely: its changes are not observed"
        yield unknown(facts.policy.project, why, "do you have the rights? else see docs/unverified.md")
    elif wanted and found is not None:
        yield well(facts.policy.project, f"read: {len(found)}")


def _hosting(facts: SystemFacts) -> Findings:
    """Whether the sites can be read, and all of the policy's are there."""
    yield from _part(InventoryPart.SITES, facts)
    sites = facts.rest.sites
    missing = {*facts.policy.resources.hosting_sites} - {*(sites or ())}
    if missing and sites is not None:
        why = f"in the policy, but no such site exists: {name_first(missing)}"
        yield wrong(facts.policy.project, why, "correct the policy")


def _secretive(facts: SystemFacts) -> Findings:
    """Whether a setting of Identity Platform that is recorded looks as if it held a secret."""
    name, identity = facts.policy.project, facts.rest.identity
    if not facts.policy.resources.identity or identity is None:
        return
    telling = {
        path
        for path, value in identity.items()
        if isinstance(value, str) and any(word in path.rpartition(".")[2].lower() for word in SECRETIVE)
    }
    if telling:
        why = f"recorded, and named like a secret: {name_first(telling)}"
        place = "shared/domain/deployments/inventory/inventory_parts.py"
        yield doubtful(name, why, f"if it holds a secret, name it in {place}: see docs/unverified.md")
    else:
        yield well(name, "no recorded setting is named like a secret")


CHECKS: Mapping[str, Callable[[SystemFacts], Findings]] = {
    "alert-policies": lambda facts: metrics.check_alert_policies(facts.policy, facts.measured),
    "metric-names": lambda facts: metrics.check_metric_names(facts.policy.system, facts.measured),
    "queries": lambda facts: metrics.check_queries(facts.policy.system, facts.measured),
    "mode": _mode,
    "stable": _stable,
    "proof": check_proof,
    "kept": sources_stored,
    "image-cleanup": check_image_cleanup,
    "functions": _functions,
    "sources": _sources,
    "services": _services,
    "revisions": _revisions,
    "routers": _routers,
    "write-quota": _quota,
    "metrics": signals.check_request_counts,
    "sign-ins": signals.check_sign_ins,
    "probes": signals.check_probes,
    "alert-ids": signals.check_alert_ids,
    "looks": signals.check_probe_history,
    "own-roles": _own_roles,
    "request-log": signals.check_request_log,
    PRODUCTS[InventoryPart.INVOKERS].check: partial(_part, InventoryPart.INVOKERS),
    **{one.check: partial(_part, part) for part, one in PRODUCTS.items() if one.check},
    "hosting": _hosting,
    "secret-settings": _secretive,
    "exports": backups.check_exports,
    "backup-proof": backups.check_restore_tests,
    "native-backups": backups.check_native_backups,
    "data": backups.check_data,
    "expiry": backups.check_expiry,
    "triggers": backups.check_triggers,
    "assets": backups.check_assets,
    "channels": check_channels,
    "status-page": check_status_page,
    "apis": lambda facts: check_apis(PUSH_API, facts.push),
}
