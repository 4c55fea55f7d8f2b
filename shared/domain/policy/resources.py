"""What a system has beside its functions, and how all that is to outlast trouble, as declared."""

from datetime import timedelta

from shared.core.codec import FrozenStruct

DEFAULT_DATABASE = "(default)"


class Resources(FrozenStruct):
    """What the system has beside its functions and is protected too; absent is not."""

    hosting_sites: tuple[str, ...] = ()
    remote_config: bool = False
    databases: tuple[str, ...] = ()
    storage_buckets: tuple[str, ...] = ()
    identity: bool = False
    secrets: str | None = None
    schedules: str | None = None
    accounts: bool = False
    invokers: bool = False

    @property
    def releases(self) -> tuple[str, ...]:
        """Return the rules' releases of databases and buckets; the default database has no name."""
        databases = (
            "cloud.firestore" if one == DEFAULT_DATABASE else f"cloud.firestore/{one}"
            for one in self.databases
        )
        return (*databases, *(f"firebase.storage/{one}" for one in self.storage_buckets))


class StaticAsset(FrozenStruct):
    """What is served as it stands, from two origins."""

    name: str
    first: str
    fallback: str


class AssetRules(FrozenStruct):
    """How assets outlast the loss of where they come from; looked at once a day."""

    static: tuple[StaticAsset, ...] = ()
    """Both origins answer alike, with the same bytes, of which the first MiB is read."""
    replicated: tuple[str, ...] = ()
    regenerated: tuple[str, ...] = ()


class ProofRules(FrozenStruct):
    """How the newest backup is restored each day to see that it can be."""

    within: timedelta = timedelta(hours=4)
    tolerance: float = 0.0
    samples: int = 20


class CopyRules(FrozenStruct):
    """Copies of the database as of a restore point, which people ask for."""

    kept: timedelta = timedelta(days=3)
    within: timedelta = timedelta(hours=24)
    documents_per_second: int = 500


class BackupRules(FrozenStruct):
    """Exports of the database, and Google's own backups of it."""

    bucket: str | None = None
    second: str | None = None
    database: str = DEFAULT_DATABASE
    every: timedelta = timedelta(hours=6)
    collections: tuple[str, ...] = ()
    native: bool = False
    proof: ProofRules | None = None
    """None: no backup is restored to try it."""
    copies: CopyRules | None = None
    """None: nobody may have a copy made."""
