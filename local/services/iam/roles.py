"""IAM, `v1`: the custom roles of projects, which can be restored for seven days.

Shapes and times: https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles and
https://cloud.google.com/iam/docs/creating-custom-roles (read 2026-11).
"""

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Literal

import grpc

from local.core.clock import CloudClock
from local.core.grpc_services import StatusError
from local.core.journal import Journal
from local.core.resource_store import ResourceStore, written_time
from local.core.resources import Change, Kind, ResourceCollection
from local.core.rest import Resource, RestMethod, RestRequest, build_list_response, invalid_argument

UNDELETE_PERIOD = timedelta(days=7)
ID_RELEASE_PERIOD = timedelta(days=37)
"""From the deletion until a new role may have the id."""
MAX_PAGE_SIZE = 1000
_Stage = Literal["ALPHA", "BETA", "GA", "DEPRECATED", "DISABLED", "EAP"]


class Roles(ResourceCollection):
    """The custom roles of every project; `permissions` are those that a role may hold."""

    def __init__(self, clock: CloudClock, journal: Journal, permissions: Container[str]) -> None:
        kind = Kind(
            calls="projects.roles",
            schema="iam.v1.Role",
            path="/v1/projects/{project}/roles",
            id_field="roleId",
            id_pattern=r"[A-Za-z0-9_.]{3,64}",
            wrapper="role",
            fields={"title": str, "description": str, "includedPermissions": list[str], "stage": _Stage},
            answers=("deleted",),
            list_parameters=("showDeleted", "view"),
            delete_parameters=("etag",),
            has_etag=True,
            complete=self._check,
        )
        super().__init__(kind, ResourceStore(journal, "roles"), clock)
        self._deletions = ResourceStore(journal, "deleted-roles")
        self._permissions = permissions

    def is_there(self, name: str) -> bool:
        """Whether a role is there and not deleted."""
        return name in self._store and not self._store.find(name).get("deleted")

    def calls(self) -> tuple[RestMethod, ...]:
        """What is served."""
        path = f"{self.kind.path}/{{id}}:undelete"
        undelete = (f"{self.kind.calls}.undelete", "POST", path, self._undelete)
        return (*super().calls(), RestMethod(*undelete, {"etag": str}))

    def refuse_duplicate(self, name: str) -> None:
        """As the base says: the id of a deleted role is released later. Raises: StatusError."""
        short = name.rpartition("/")[2]
        if not self._store.find(name).get("deleted"):
            said = f"A role named {short} in {name.split('/')[1]} already exists."
            raise StatusError(grpc.StatusCode.ALREADY_EXISTS, said)
        if self._deleted_for(name) < ID_RELEASE_PERIOD:
            raise _refused(f"You can't create a role_id ({short}) which has been marked for deletion.")

    def find(self, request: RestRequest) -> Resource:
        """As the base says: a role that nobody can restore any more is not there."""
        name = self.name_of(request)
        if name in self._store and self._deleted_for(name) >= UNDELETE_PERIOD:
            raise StatusError(
                grpc.StatusCode.NOT_FOUND, f"The role named {name.rpartition('/')[2]} was not found."
            )
        return super().find(request)

    def list_page(self, request: RestRequest) -> Resource:
        """As the base says; without permissions and deleted ones, unless somebody asks for them."""
        hidden = () if request.query.get("view") == "FULL" else ("includedPermissions",)
        shown = [
            {key: it for key, it in one.items() if key not in hidden}
            for one in self._store.below(self.parent_of(request))
            if not one.get("deleted") or request.query.get("showDeleted") == "true"
            if self._deleted_for(one["name"]) < UNDELETE_PERIOD
        ]
        return build_list_response(request, "roles", shown, MAX_PAGE_SIZE)

    def change(self, request: RestRequest) -> Resource:
        """As the base says; a deleted role is restored first. Raises: StatusError."""
        if self.find(request).get("deleted"):
            raise _refused("You can't update a role that has been marked for deletion.")
        return super().change(request)

    def delete(self, request: RestRequest) -> Resource:
        """Mark a role as deleted. Raises: StatusError FAILED_PRECONDITION where it is so."""
        with self._store.lock:
            role = self.find(request)
            self._refuse_stale(role, request.query.get("etag"))
            if role.get("deleted"):
                raise _refused(f"You can't delete role_id ({request.ids['id']}): it is already deleted.")
            self._deletions.put({"name": role["name"], "at": written_time(self._clock.now())})
            self._store.put({**role, "deleted": True})
            return self._store.find(role["name"])

    def _undelete(self, request: RestRequest) -> Resource:
        with self._store.lock:
            role = self.find(request)
            self._refuse_stale(role, request.body.get("etag"))
            if not role.get("deleted"):
                raise _refused(f"You can't undelete role_id ({request.ids['id']}): it is not deleted.")
            self._store.put({key: it for key, it in role.items() if key != "deleted"})
            return self.find(request)

    def _check(self, change: Change) -> Resource:
        """Google refuses a permission that it does not know, or that no custom role may hold."""
        for permission in change.after.get("includedPermissions", []):
            if permission not in self._permissions:
                raise invalid_argument(f"Permission {permission} is not valid.")
        return {}

    def _deleted_for(self, name: str) -> timedelta:
        if not self._store.find(name).get("deleted"):
            return timedelta()
        return self._clock.now() - datetime.fromisoformat(self._deletions.find(name)["at"])


def _refused(reason: str) -> StatusError:
    return StatusError(grpc.StatusCode.FAILED_PRECONDITION, reason)
