"""The stand: a Cloud Run service whose newest revision is a copy of one of a function."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from google.cloud import run_v2
from google.protobuf.field_mask_pb2 import FieldMask

from shared.errors import Moved, Rejected
from shared.gcp.answers import LOOK_AGAIN, READ, READ_SECONDS, translated
from shared.gcp.platform import SHIFT_SECONDS
from shared.policy import Policy
from shared.redaction import REMOVED
from shared.stand import LABEL, OnStand, Outcome, Template, Trial, Verdict, service

PERMISSIONS: Final = (
    "artifactregistry.repositories.downloadArtifacts",
    "iam.serviceAccounts.actAs",
    "run.revisions.get",
    "run.services.get",
    "run.services.update",
)
"""Whoever deploys an image must be able to pull it
(https://cloud.google.com/artifact-registry/docs/integrate-cloud-run, read 2026-11)."""
LOOK_PERMISSIONS: Final = ("run.services.get",)
"""What `found` needs."""

_COPIED: Final = (
    "containers",
    "encryption_key",
    "encryption_key_revocation_action",
    "encryption_key_shutdown_duration",
    "execution_environment",
    "gpu_zonal_redundancy_disabled",
    "max_instance_request_concurrency",
    "node_selector",
    "service_account",
    "service_mesh",
    "session_affinity",
    "timeout",
    "volumes",
    "vpc_access",
)
"""Of a Revision, what stands in a RevisionTemplate too, but name, labels, annotations and scaling
(google-cloud-run 0.16.2)."""
_SHORTEST = 4
"""A value of fewer characters is part of too many words: it is removed behind `=` or a quote."""
_PIECE = re.compile(r"""[^"'\\\x00-\x1f\x7f-\U0010ffff]{8,}""")
"""What of a value stands as it is where the value is quoted: lines of a key, parts of JSON."""

_TemplateMessage = run_v2.RevisionTemplate.pb()
_ServiceMessage = run_v2.Service.pb
_RevisionMessage = run_v2.Revision.pb
_State = run_v2.Condition.State
_Common = run_v2.Condition.CommonReason
_Of = run_v2.Condition.RevisionReason
_UNTOLD: Final = (_Common.INTERNAL, _Common.IMMEDIATE_RETRY, _Common.POSTPONED_RETRY)
_UNTRIED: Final = (_Of.ACTIVE_REVISION_LIMIT_REACHED, _Of.HEALTH_CHECK_SKIPPED)
"""Reasons for which a revision is ready or not, and nobody has seen whether it comes up."""


class CloudTrials:
    """Trials over the stand that a policy names. The clients' own retries are off."""

    def __init__(self, services: Any, revisions: Any, policy: Policy) -> None:
        self._services = services
        self._revisions = revisions
        self._stand = service(policy)

    def found(self) -> OnStand:
        """What stands there. Raises: Gone, Rejected."""
        with translated(READ):
            answer = self._services.get_service(name=self._stand, retry=None, timeout=READ_SECONDS)
        message = _ServiceMessage(answer)
        internal = message.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY
        newest = message.latest_created_revision.rpartition("/")[2]
        return OnStand(message.etag, newest, internal)

    def template(self, trial: Trial) -> Template:
        """What the revision runs, under another name, with one instance at most. Raises: Gone."""
        copied = self._revision(trial.revision)
        made = _TemplateMessage(
            revision=trial.name,
            labels={LABEL: trial.revision.rpartition("/")[2]},
            scaling={"max_instance_count": 1},
        )
        for field, value in copied.ListFields():
            if field.name in _COPIED:
                made.MergeFrom(_TemplateMessage(**{field.name: value}))
        for container in made.containers:
            container.ClearField("build_info")  # output only
        return Template(made.SerializeToString())

    def begin(self, trial: Trial, template: Template) -> None:
        """Change the template and nothing else; Cloud Run starts an instance of what it makes.

        It checks that containers come up while they are deployed, unless the template disables that
        (`RevisionTemplate.health_check_disabled`, google-cloud-run 0.16.2), by the startup probe
        (https://cloud.google.com/run/docs/configuring/healthchecks, read 2026-11). No request is
        needed for it: a release that does not listen fails before it serves anybody.
        Raises: Gone, Moved, Exists, Throttled, Ambiguous; Rejected without an etag too, since the
        service takes its absence for consent.
        """
        if not trial.etag:
            raise Rejected(f"a trial on {self._stand} needs the etag that was read")
        made = _TemplateMessage.FromString(template.content)
        request = run_v2.UpdateServiceRequest(
            service=run_v2.Service(name=self._stand, etag=trial.etag, template=made),
            update_mask=FieldMask(paths=["template"]),
        )
        with _untold(_values(made.containers)), translated(LOOK_AGAIN):
            self._services.update_service(request, retry=None, timeout=SHIFT_SECONDS)

    def outcome(self, name: str) -> Outcome | None:
        """What the condition Ready of the copy says; None: not yet. Raises: Gone."""
        copy = self._revision(f"{self._stand}/revisions/{name}")
        ready = next((one for one in copy.conditions if one.type_ == "Ready"), None)
        if ready is None or ready.state not in (
            _State.CONDITION_SUCCEEDED,
            _State.CONDITION_FAILED,
        ):
            return None
        words = _without(_values(copy.containers), ready.message)
        if ready.reason in _UNTOLD or ready.revision_reason in _UNTRIED:
            return Outcome(Verdict.UNKNOWN, words or "Cloud Run has not started it")
        if ready.state == _State.CONDITION_SUCCEEDED:
            return Outcome(Verdict.STARTED)
        return Outcome(Verdict.FAILED, words or "Cloud Run says no reason")

    def _revision(self, name: str) -> Any:
        with translated(READ):
            answer = self._revisions.get_revision(name=name, retry=None, timeout=READ_SECONDS)
        return _RevisionMessage(answer)


def _values(containers: Iterable[Any]) -> set[str]:
    """The values of their plain variables, and pieces of them."""
    values = {one.value for container in containers for one in container.env if one.value}
    return {*values, *(piece for value in values for piece in _PIECE.findall(value))}


@contextmanager
def _untold(values: Collection[str]) -> Iterator[None]:
    """The body, without these values in what a refusal says."""
    try:
        yield
    except (Moved, Rejected) as refused:
        raise type(refused)(_without(values, str(refused))) from None


def _without(values: Iterable[str], text: str) -> str:
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, REMOVED)
        else:
            text = re.sub(rf"""(?<=[="']){re.escape(value)}(?!\w)""", REMOVED, text)
    return text
