"""Is all there that going back to a deployment needs? Compared with what is there now; pure.

No revision is started for that (docs/decisions/0031-no-revision-is-started-to-prove-it.md): whether
one comes up shows when its traffic is shifted.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime

from shared.core import text
from shared.core.codec import FrozenStruct
from shared.domain.deployments.build_recipe import derive_recipe
from shared.domain.deployments.deployment import Deployment, Inventory, Restorability
from shared.domain.deployments.images import (
    Cleanup,
    StoredImage,
    StoredImages,
    find_deletion_time,
    images_of,
    is_image_stored,
    repository,
)
from shared.domain.deployments.inventory.inventory_parts import (
    AccountState,
    FunctionState,
    Generation,
    Grants,
    SecretVersion,
    WholeInventory,
    accounts_of,
)
from shared.domain.deployments.inventory.products import InventoryPart
from shared.domain.deployments.source_copies import rebuild_obstacles

IMAGES_PART = "images"
"""Some of them nobody could look for: a revision that is ready had its image when it started."""
FINALIZED = "FINALIZED"
"""The one state in which a version of Hosting can be released
(https://firebase.google.com/docs/reference/hosting/rest/v1beta1/sites.versions, read 2026-11)."""
CHECK_SUMMARY = (
    "revisions Ready, their images or stored sources, versions in Secret Manager, accounts, runtimes, "
    "versions of Hosting, rulesets, indexes; no revision was started"
)
"""What a proof looks at, in words for people."""
MAX_STORED_REASONS = 50
"""Of why functions could not be built again, so many lines are kept with a deployment."""


class CheckedResources(FrozenStruct):
    """What was asked of the things of a deployment that are not live now; None: no answer."""

    versions: dict[str, str | None] = {}
    """The state of a version of Hosting by `SITE/VERSION`; empty: there is no such version."""
    rulesets: dict[str, bool | None] = {}
    """Whether a ruleset is there, by its short name."""
    roles: Grants | None = None
    """Of the accounts in the project, where some run nothing that is live."""
    accounts: dict[str, AccountState | None] = {}
    """What is known of those that functions run as, by address."""
    images: StoredImages = {}
    cleanup: Mapping[str, Cleanup | None] = {}
    """How each repository of `images` is cleaned up."""
    runtimes: frozenset[tuple[Generation, str]] | None = None
    """That are not decommissioned."""
    unkept: dict[str, str] = {}
    """Why something of a live function is not kept (`InventoryRecord.unkept`)."""


def check_restorability(
    deployment: Deployment,
    record: WholeInventory,
    live: WholeInventory,
    inventory: Inventory | None,
    now: datetime,
    beside: CheckedResources = CheckedResources(),  # noqa: B008 - frozen
) -> Restorability:
    """What stands in the way of going back, and what could not be looked at.

    `record` is all that was live in the deployment, `live` what is live now, each part None where
    it gave no answer; `inventory` has every revision that there is, `beside` what else was asked.
    """
    faults = [
        *(line for _, line in find_functions_without_secrets(record, live)),
        *_find_account_faults(record, live, beside),
        *_find_resource_faults(record, live, beside),
        *_find_image_faults(deployment, record, beside),
        *_find_runtime_faults(record, beside),
    ]
    checked = (InventoryPart.ACCOUNTS, InventoryPart.INDEXES, InventoryPart.SECRETS)
    unknown = [one.value for one in checked if getattr(record, one) and getattr(live, one) is None]
    unknown += [f"version {name}" for name, state in beside.versions.items() if state is None]
    unknown += [f"ruleset {name}" for name, there in beside.rulesets.items() if there is None]
    unknown += [f"account {name}" for name, state in beside.accounts.items() if state is None]
    unknown += [f"secret {one}" for one in list_secret_versions(record) if one not in (record.secrets or {})]
    for account, roles in _current_roles(record, live, beside).items():
        # An account that kept roles, or got others, may have needed those that it has lost.
        gone = sorted({*(record.accounts or {})[account]} - {*roles}) if roles else ()
        unknown += [f"whether {account} needs {one}, which it lost (if so, grant it again)" for one in gone]
    if beside.runtimes is None and any(one.runtime for one in record.function_states.values()):
        unknown.append("runtimes")
    if inventory is None:
        unknown.append("revisions")
    else:
        faults += _find_revision_faults(deployment, inventory)
    unknown += [f"clean-up policies of {name}" for name, found in beside.cleanup.items() if found is None]
    unseen = any(is_image_stored(image, beside.images) is None for image in images_of(record))
    placed = _placed_images(deployment, record)
    return Restorability(
        now,
        tuple(sorted(set(faults))),
        (*sorted(unknown), *([IMAGES_PART] if unseen else [])),
        find_rebuild_faults(record, beside.unkept),
        len({one.name for one, _, image in placed if is_image_stored(image, beside.images) is False}),
        min(_find_deletion_times(deployment, record, beside), default=None),
    )


def describe_missing(deployment: Deployment, functions: Collection[str]) -> list[str]:
    """What the last proof found to be missing of these functions, one line each, and when."""
    proof = deployment.restorable
    if proof is None:
        return []
    seen_at = f"as of {proof.checked_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    found = [one for one in proof.faults if one.partition(": ")[0] in functions]
    return [f"{one} ({seen_at})" for one in found]


def find_rebuild_faults(record: WholeInventory, unkept: Mapping[str, str]) -> tuple[str, ...]:
    """Why not each function could be built again; the first of many reasons, and how many more."""
    every = list(rebuild_obstacles(record.function_states.values(), unkept))
    return tuple(text.first_lines(every, MAX_STORED_REASONS))


def _find_revision_faults(deployment: Deployment, inventory: Inventory) -> Iterator[str]:
    for function, placed in deployment.functions.items():
        found = inventory.get(function)
        if found is None:
            yield f"{function} is gone"
            continue
        for name in placed.revisions:
            revision = found.revision(name)
            if revision is None:
                yield f"{function}: revision {name} is gone"
            elif not revision.ready:
                yield f"{function}: revision {name} is not ready"


def _find_image_faults(
    deployment: Deployment, record: WholeInventory, beside: CheckedResources
) -> Iterator[str]:
    """The images that are gone of functions that cannot be built again either."""
    for one, revision, image in _placed_images(deployment, record):
        if derive_recipe(one) is None and is_image_stored(image, beside.images) is False:
            yield f"{one.name}: the image of {revision} is gone, and it cannot be built again"


def _placed_images(
    deployment: Deployment, record: WholeInventory
) -> Iterator[tuple[FunctionState, str, str]]:
    """Each function with a revision that served in the deployment, and its image."""
    for name, one in record.function_states.items():
        for revision in deployment.functions[name].revisions if name in deployment.functions else ():
            if revision in one.revisions:
                yield one, revision, one.revisions[revision].image


def _find_deletion_times(
    deployment: Deployment, record: WholeInventory, beside: CheckedResources
) -> Iterator[datetime]:
    """From when on clean-up policies may delete each of the images that are there."""
    packages = defaultdict[str, set[StoredImage]](set)
    for one in (image for stored in beside.images.values() for image in (stored or {}).values()):
        packages[one.package].add(one)
    for _, _, name in _placed_images(deployment, record):
        found = (beside.images.get(repository(name)) or {}).get(name)
        cleanup = beside.cleanup.get(repository(name))
        if found and cleanup and (at := find_deletion_time(found, packages[found.package], cleanup)):
            yield at


def _find_runtime_faults(record: WholeInventory, beside: CheckedResources) -> Iterator[str]:
    """The runtimes with which nothing is deployed any more, and what runs may be disabled."""
    if beside.runtimes is None:
        return
    for name, one in record.function_states.items():
        if one.runtime and (one.generation, one.runtime) not in beside.runtimes:
            yield f"{name}: runtime {one.runtime} is decommissioned"


def find_functions_without_secrets(record: WholeInventory, live: WholeInventory) -> Iterator[tuple[str, str]]:
    """Yield functions whose bound secret version is gone or disabled; unread secrets pass."""
    if live.secrets is None or not record.secrets:
        return
    for function in record.function_states.values():
        for bound in sorted(_bound_secrets(function)):
            if _resolve_version(bound, record.secrets) in record.secrets:
                found = live.secrets.get(_resolve_version(bound, live.secrets))
                if found is None or found.state != "ENABLED":
                    state = found.state if found else "gone"
                    yield function.name, f"{function.name}: secret {bound} is {state}"


def list_secret_versions(record: WholeInventory) -> list[str]:
    """Return the versions that functions used, `SECRET/NUMBER`; of `latest` the newest of then."""
    bound = {one for function in record.function_states.values() for one in _bound_secrets(function)}
    return sorted({_resolve_version(one, record.secrets or {}) for one in bound})


def _bound_secrets(function: FunctionState) -> set[str]:
    """The secrets that its revisions, or its code where it has none, find at their start."""
    several = [one.configuration for one in function.revisions.values()] or [function.configuration]
    return {f"{use.secret}/{use.version}" for one in several for use in one.secrets}


def _resolve_version(bound: str, versions: Mapping[str, SecretVersion]) -> str:
    """Return `SECRET/NUMBER`; `latest` is the newest version, whether it is enabled or not.

    https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
    (read 2026-11).
    """
    secret, _, version = bound.partition("/")
    numbers = [one for one in versions if one.startswith(f"{secret}/") and version == "latest"]
    return max(numbers, key=lambda one: int(one.rpartition("/")[2]), default=bound)


def _find_account_faults(
    record: WholeInventory, live: WholeInventory, beside: CheckedResources
) -> Iterator[str]:
    """The functions whose runtime account is disabled or deleted, or has no role."""
    held = _current_roles(record, live, beside)
    for name, function in record.function_states.items():
        for account in sorted(accounts_of([function])):
            state = beside.accounts.get(account)
            if state not in (AccountState.ENABLED, None):
                yield f"{name}: account {account} is {state.lower()}"
            if account in held and not held[account] and state is not AccountState.GONE:
                has = "has" if state is AccountState.ENABLED else "is gone, or has"
                yield f"{name}: account {account} {has} no role any more"


def _current_roles(record: WholeInventory, live: WholeInventory, beside: CheckedResources) -> Grants:
    """What each account that had roles in the project has now; left out: it is not known."""
    if live.accounts is None:
        return {}
    others = dict.fromkeys(record.accounts or {}, ()) if beside.roles is not None else {}
    held = {**others, **(beside.roles or {}), **live.accounts}
    return {name: held[name] for name, roles in (record.accounts or {}).items() if roles and name in held}


def _find_resource_faults(
    record: WholeInventory, live: WholeInventory, beside: CheckedResources
) -> Iterator[str]:
    """The indexes, versions of sites and rulesets that are gone."""
    for definition in record.indexes or {}:
        if live.indexes is not None and definition not in live.indexes:
            yield f"index {definition} is gone"
    for site, one in (record.sites or {}).items():
        state = beside.versions.get(f"{site}/{one.version}", FINALIZED)
        if state not in (FINALIZED, None):
            yield f"site {site}: version {one.version} is {state or 'gone'}"

    for release, rules in (record.rules or {}).items():
        if beside.rulesets.get(rules.ruleset) is False:
            yield f"rules {release}: ruleset {rules.ruleset} is gone"
