"""What an application can make again from its data is asked for, at a person's word.

A message on each topic that the policy declares for a collection. Which of them were taken is kept
after each: whoever dies is followed by the next. A message whose answer was lost is sent again; by
its command's id, which is in it, whoever listens knows the repeat.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from responders.rollback.isolation import fence_guard
from responders.support.command_handler import CommandEffect, CommandRequest
from responders.support.controls import is_change_blocked
from responders.support.resumable_command import COMMAND_TIMEOUT, completed_record, postponed_record
from shared.core.codec import JsonObject
from shared.core.errors import Refused, Rejected, Unavailable
from shared.core.text import suggest_names
from shared.domain.commands.command import CommandRecord
from shared.domain.data import asset_protection
from shared.domain.policy.system_policy import Policy
from shared.ports.groups import Ports


def regenerate(asked: CommandRequest) -> CommandEffect:
    """Derived data is to be made again. Raises: Refused, where nothing says how."""
    command, policy = asked.command, asked.policy
    declared = {name: one for name, one in policy.collections.items() if one.derived}
    if command.collection not in declared:
        meant = suggest_names(command.collection, declared)
        what = f"no derived data of {command.collection!r} are declared{meant}"
        raise Refused(f"{what}; {policy.system} has {', '.join(sorted(declared)) or 'none'}")
    strange = [one for one in command.documents if command.collection not in one.split("/")]
    if strange:
        raise Refused(f"{strange[0]!r} is no document of {command.collection}")
    result = f"regeneration from {command.collection} is requested"
    wanted = {"collection": command.collection, "documents": [*command.documents]}
    return CommandEffect(result, goes_on=True, answer={**wanted, "taken": {}, "refused": {}})


def request_next_topic(ports: Ports, policy: Policy, record: CommandRecord, now: datetime) -> CommandRecord:
    """The record after one message more, or its end once there is none."""
    collection, taken = record.answer["collection"], record.answer["taken"]
    refused = record.answer["refused"]
    topics = asset_protection.regeneration_topics(policy, collection)
    left = [one for one in topics if one not in (*taken, *refused)]
    if not left:
        return completed_record(record, now, _describe_result(collection, taken, refused))
    if now - record.received_at > COMMAND_TIMEOUT:
        given_up = dict.fromkeys(left, "given up")
        return completed_record(record, now, _describe_result(collection, taken, given_up))
    if is_change_blocked(ports, policy) or fence_guard.is_fence_up(ports, policy):
        return postponed_record(record, now)
    topic = left[0]
    attributes = {"rollback_command": record.id, "rollback_system": policy.system}
    try:
        content = msgspec.json.encode(_build_request_message(policy, record, topic))
        message = ports.system(policy.system).bus.publish(topic, content, attributes)
    except Rejected as error:
        answer = {**record.answer, "refused": {**refused, topic: str(error)}}
        return replace(record, answer=answer, due_at=now)
    except Unavailable:
        return postponed_record(record, now)
    return replace(record, answer={**record.answer, "taken": {**taken, topic: message}}, due_at=now)


def _build_request_message(policy: Policy, record: CommandRecord, topic: str) -> JsonObject:
    """What is said: no field named means whole documents, no document named all of them."""
    collection = record.answer["collection"]
    derived = [one for one in policy.collections[collection].derived if one.topic == topic]
    whole = any(not one.fields for one in derived)
    fields = () if whole else dict.fromkeys(field for one in derived for field in one.fields)
    return {
        "version": 1,
        "id": record.id,
        "system": policy.system,
        "collection": collection,
        "documents": record.answer["documents"],
        "fields": [*fields],
        "reason": record.reason,
    }


def _describe_result(collection: str, taken: Mapping[str, str], refused: Mapping[str, str]) -> str:
    asked = f"regeneration from {collection} was requested on {', '.join(taken)}" if taken else ""
    failed = "; ".join(f"{topic}: {why}" for topic, why in refused.items())
    nobody = f"regeneration from {collection} could not be requested: {failed}" if failed else ""
    return "; ".join(filter(None, (asked, nobody)))
