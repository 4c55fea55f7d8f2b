"""What an administrator asks of a project's people: that they are there, and what they claim."""

from typing import Any

from msgspec.structs import replace

from local.services.identity.requests import NewAccountRequest, UpdateRequest
from local.services.identity.users import User, Users, uid_of
from shared.core.codec import from_json


class IdentityError(Exception):
    """An answer of 400 and more, by Google's word for it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def create_user(users: Users, body: bytes) -> dict[str, Any]:
    """A person who was not there before."""
    asked = from_json(body, NewAccountRequest)
    uid = asked.local_id or uid_of(asked.email)
    if users.find_by_email(asked.email) is not None:
        raise IdentityError("EMAIL_EXISTS")
    if users.get(uid) is not None:
        raise IdentityError("DUPLICATE_LOCAL_ID")
    verified = asked.email_verified
    users.keep(User(uid, asked.email, asked.password, {}, email_verified=verified))
    return {"localId": uid, "email": asked.email}


def update_claims(users: Users, body: bytes) -> dict[str, Any]:
    """A person with other claims."""
    asked = from_json(body, UpdateRequest)
    user = users.get(asked.local_id)
    if user is None:
        raise IdentityError("USER_NOT_FOUND")
    claims = from_json(asked.custom_attributes, dict[str, Any])
    users.keep(replace(user, claims=claims))
    return {"localId": user.uid}
