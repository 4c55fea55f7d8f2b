"""What the database is asked and keeps, beside its indexes and times to live."""

import ast
from datetime import timedelta
from functools import cache

from local.installation import state_database
from shared.core import topics
from shared.domain.deployments.inventory.traffic import LATEST_REVISION, TrafficTarget
from tests.support.data.corrupted_bookshop import CorruptedShop
from tests.support.data.database_copies import build_shop_with_copies as copying
from tests.support.data.database_copies import request_copy as ask_for_a_copy
from tests.support.data.restore_tests import build_system_with_restore_tests as exporting
from tests.terraform.entry_points import ROOT
from tests.terraform.evaluator.evaluator import Configuration


def test_what_expires_has_its_time_to_live(two_projects: Configuration) -> None:
    """In a whole rollback something expires in just the collections that Terraform knows."""
    world = exporting()
    world.deploy_bad()
    world.alert()
    world.pass_time(timedelta(hours=1))
    world.publish(topics.COMMANDS, b"no command")
    world.ports.world.deploy()
    world.ports.world.change_by_hand("getBook", (TrafficTarget(LATEST_REVISION, 100),))  # a pin ends
    world.pass_time(timedelta(minutes=10))
    world.announce("v3")  # what was found before has another name now
    world.command(command="pause", actor="ada@example.com")
    world.settle()
    repaired = CorruptedShop()
    repaired.order()
    repaired.run_until_parked()
    repaired.approve("bob")
    repaired.pass_time(timedelta(minutes=4))
    copied = copying()
    copied.ports.filled.failures.append("no room")  # a copy is over
    ask_for_a_copy(copied)
    copied.pass_time(timedelta(minutes=10))
    expiring = {
        path.split("/")[-2]
        for known in (world, repaired, copied)
        for path, fields in known.ports.store.documents.items()
        if fields.get("expires_at") is not None
    }

    fields = [one for one in two_projects.of("google_firestore_field") if "ttl_config" in one.values]

    assert (
        {one.values["collection"] for one in fields} == expiring == set(state_database.EXPIRING_COLLECTIONS)
    )
    assert {one.values["field"] for one in fields} == {"expires_at"}
    assert all(one.values["ttl_config"] == [{}] for one in fields)


@cache
def queries() -> list[tuple[str, ast.Call]]:
    """Every query of the product, with the file that it stands in."""
    return [
        (str(file.relative_to(ROOT)), node)
        for folder in ("responders", "shared", "cli")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Query"
    ]


def fields_asked(file: str, call: ast.Call) -> list[str]:
    """The fields that a query filters and orders by, each once."""
    given = {one.arg: one.value for one in call.keywords}
    where = given.get("where", ast.Tuple([]))
    if isinstance(where, ast.Name):  # named a few lines before
        [where] = [
            node.value
            for node in ast.walk(ast.parse((ROOT / file).read_text()))
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == where.id
        ]
    found = [ast.literal_eval(one.elts[0]) for one in getattr(where, "elts", [])]
    if "order_by" in given:
        found.append(ast.literal_eval(given["order_by"]))
    return [*dict.fromkeys(found)]


def test_composite_indexes_are_those_that_queries_need(example: Configuration) -> None:
    """A query over one field needs none; one over several is Rejected without its own."""
    needed = {tuple(fields) for file, call in queries() if len(fields := fields_asked(file, call)) > 1}

    found = {
        tuple(field["field_path"] for field in one.values["fields"])
        for one in example.of("google_firestore_index")
    }

    assert queries()
    assert found == needed


def test_what_has_no_index_is_never_asked_for(example: Configuration) -> None:
    """A query over such a field would be refused."""
    asked = {field for file, call in queries() for field in fields_asked(file, call)}

    fields = example.of("google_firestore_field")

    assert {one.values["field"] for one in fields} == {"expires_at", "looks"}
    assert [one.address for one in fields if one.values["index_config"] != [{}]] == []
    assert {one.values["field"] for one in fields} & asked == set()
