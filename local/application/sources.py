"""The sources that the functions were built from, as objects in Cloud Functions' own bucket."""

import io
import threading
import zipfile

import msgspec

from local.application import names
from local.application.application import Application
from local.application.service import ApplicationService, ServiceRevision
from local.services.storage.buckets import Buckets
from local.services.storage.conditions import Preconditions
from local.services.storage.errors import Refusal
from local.services.storage.values import StoredObject
from shared.core.codec import from_json

RELEASE_FILE = "release.json"
"""In each source: what the revision that was built from it does."""
_FILE_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of every file: the same source makes the same archive."""


class Sources:
    """One object per function and a generation per build, uploaded when it is first looked for."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], StoredObject] = {}
        """By bucket and revision."""
        self._learnt: set[str] = set()

    def of(self, application: Application, service: ApplicationService) -> StoredObject:
        """The source of a service's newest revision."""
        number = names.project_number(application.project)
        bucket = f"gcf-v2-sources-{number}-{application.region}"
        revision = service.latest_created
        with self._lock:
            self._learn(bucket, application.project)
            if (bucket, revision.name) not in self._known:
                self._known[bucket, revision.name] = self._buckets.put(
                    bucket,
                    f"{service.function}/function-source.zip",
                    build_archive(revision),
                    "application/zip",
                    {"revision": revision.name},
                    Preconditions(),
                )
            return self._known[bucket, revision.name]

    def _learn(self, bucket: str, project: str) -> None:
        """Take in what is in the bucket from before this process began; or make it."""
        if bucket in self._learnt:
            return
        self._learnt.add(bucket)
        try:
            found = self._buckets.all(bucket, versions=True)
        except Refusal:  # the first deployment into a region makes it
            self._buckets.create(bucket, project=project, versioned=True)
            return
        self._known.update({(bucket, one.metadata["revision"]): one for one in found})


def build_archive(revision: ServiceRevision) -> bytes:
    """The source that such a revision is built from."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as whole:
        said = msgspec.json.encode(revision)
        whole.writestr(zipfile.ZipInfo(RELEASE_FILE, _FILE_DATE), said)
    return content.getvalue()


def read_release(content: bytes) -> str:
    """The release that a source is of; empty: it is no source of ours."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as whole:
            return from_json(whole.read(RELEASE_FILE), ServiceRevision).release
    except (zipfile.BadZipFile, KeyError, msgspec.DecodeError):
        return ""
