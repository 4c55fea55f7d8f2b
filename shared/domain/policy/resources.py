"""What a system has beside its functions, and how all that is to outlast trouble, as declared."""

from datetime import timedelta

from msgspec import Struct

DEFAULT_DATABASE = "(default)"


class Resources(Struct, frozen=True):
    """What the system has beside its functions and is protected too; absent is not."""

    hosting_sites: tuple[str, ...] = ()
    remote_config: bool = False
    databases: tuple[str, ...] = ()
    """Firestore databases whose rules and indexes count."""
    storage_buckets: tuple[str, ...] = ()
    """Cloud Storage buckets whose rules count."""
    identity: bool = False
    """The configuration of Identity Platform."""
    secrets: str | None = None
    """How the names of the secrets begin; empty: all of the project."""
    schedules: str | None = None
    """How the names of the Cloud Scheduler jobs begin; empty: all of the region."""
    accounts: bool = False
    """The roles, in the project, of the accounts that the functions run as."""
    invokers: bool = False
    """Who may call each function: a read for each of them at every look."""

    @property
    def releases(self) -> tuple[str, ...]:
        """Return the rules' releases of databases and buckets; the default database has no name."""
        databases = (
            "cloud.firestore" if one == DEFAULT_DATABASE else f"cloud.firestore/{one}"
            for one in self.databases
        )
        return (*databases, *(f"firebase.storage/{one}" for one in self.storage_buckets))


class StaticAsset(Struct, frozen=True):
    """What is served as it stands, from two origins."""

    name: str
    first: str
    """Its address at the origin that users meet."""
    fallback: str
    """Its address at the origin that serves it when the first one does not."""


class AssetRules(Struct, frozen=True):
    """How assets outlast the loss of where they come from; looked at once a day."""

    static: tuple[StaticAsset, ...] = ()
    """Both origins answer alike, with the same bytes, of which the first MiB is read."""
    replicated: tuple[str, ...] = ()
    """Buckets of what users have made: each lies in more than one region."""
    regenerated: tuple[str, ...] = ()
    """Collections whose derived data can be made again: the topics that ask for it are there."""


class ProofRules(Struct, frozen=True):
    """How the newest backup is restored each day to see that it can be."""

    within: timedelta = timedelta(hours=4)
    """A restore that takes longer is no proof."""
    tolerance: float = 0.0
    """The share of the documents that may be missing or not valid."""
    samples: int = 20
    """Documents of each declared collection that are compared with what they were."""


class CopyRules(Struct, frozen=True):
    """Copies of the database as of a restore point, which people ask for."""

    kept: timedelta = timedelta(days=3)
    """So long one waits to be used, once it is ready; then it is deleted."""
    within: timedelta = timedelta(hours=24)
    """One that takes longer to be made and looked through is given up."""


class BackupRules(Struct, frozen=True):
    """Exports of the database, and Google's own backups of it."""

    bucket: str | None = None
    """Where exports go, at the database's location; None: nothing is exported."""
    second: str | None = None
    """The bucket in another continent that each export is copied to; None: it is not copied."""
    database: str = DEFAULT_DATABASE
    every: timedelta = timedelta(hours=6)
    """Each export reads every document, which is paid for."""
    collections: tuple[str, ...] = ()
    """Collection groups whose documents are counted with each export; all are exported."""
    native: bool = False
    """Whether missing schedules, backups or point-in-time recovery are reported."""
    proof: ProofRules | None = None
    """None: no backup is restored to try it."""
    copies: CopyRules | None = None
    """None: nobody may have a copy made."""
