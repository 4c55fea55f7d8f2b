"""A drill over the real wire: the products are asked, and nothing of the system is another."""

from local.services.firebase import hosting
from responders.support.inventory_reader import read_inventory
from shared.domain.deployments.inventory.inventory_parts import RulesFile
from tests.e2e.conftest import NOON, WorldMaker
from tests.e2e.support.cli import run
from tests.e2e.support.world import EXAMPLE, World, until
from tests.local.support.rest import Product

SITE, RELEASE = "bookshop-prod", "cloud.firestore"
EVERYTHING = EXAMPLE.replace(
    f"hosting_sites: [{SITE}]\n", f"hosting_sites: [{SITE}]\n  remote_config: true\n  identity: true\n"
)
RULES = "rules_version = '2'; service cloud.firestore { }"


def spoil(world: World) -> None:
    """Another version, template, ruleset and setting are live, and another release of functions."""
    world.deploy_bad()
    estate = world.wiring.system(world.policy.system).resources
    product = Product(world.cloud, hosting.HOST)
    version = product.done("POST", f"/v1beta1/sites/{SITE}/versions", {})["name"]
    product.done("PATCH", f"/v1beta1/{version}?updateMask=status", {"status": "FINALIZED"})
    product.done("POST", f"/v1beta1/sites/{SITE}/releases?versionName={version}", {})
    estate.remote_config.publish('{"parameters":{}}', estate.remote_config.template().etag)
    ruleset = estate.rules.create_ruleset((RulesFile("firestore.rules", RULES),))
    estate.rules.enforce(RELEASE, ruleset)
    estate.identity.configure({"signIn.email.enabled": False})


def test_a_complete_drill_changes_nothing(new_world: WorldMaker) -> None:
    """Shifts and template are validated, all else is looked at; the record says which."""
    world = new_world(NOON, EVERYTHING)
    spoil(world)
    stock, traffic = read_inventory(world.wiring, world.policy), world.evidence.inventory()
    assert None not in (stock.sites, stock.remote_config, stock.rules, stock.identity)
    sent = world.evidence.operations()
    world.cloud.clock.rescale(1)  # what a slow machine answers still comes in time

    said = run("drill", "--scenario", "complete", "--reason", "before it may act")
    [done] = until("the drill", world.evidence.drills)

    assert said.exit_code == 0, said.output
    assert (done.scenario, done.target, done.agrees) == ("complete", "v1", True), done
    assert set(done.rehearsed) == {*world.policy.functions, "publish firebase template"}
    assert set(done.looked_at) == {*(f"release {SITE}", f"release rules {RELEASE}", "set identity")}
    assert read_inventory(world.wiring, world.policy) == stock
    assert world.evidence.inventory() == traffic
    assert world.evidence.operations() == sent
    assert world.evidence.rollbacks() == []
