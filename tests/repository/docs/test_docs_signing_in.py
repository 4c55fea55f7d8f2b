import re
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from local.cloud import Cloud
from local.control.proxy import build_proxy_environment
from shared.adapters.gcp.firebase.id_tokens import GoogleIdentity
from shared.adapters.prober import HttpProber
from shared.core.store import Query
from shared.domain.commands.credential import decode_unverified_token
from shared.policy_files import loader
from tests.support.cli import operator
from tests.support.cli.documented_commands import (
    EXPORTED,
    IDENTIFIED,
    IDENTITY,
    PEOPLE,
    SHORT_CVPLUS,
    SIGNING_IN,
)
from tests.support.cli.over_wire import CloudPrompt
from tests.support.notices.system_events import refusal_reasons
from tests.support.runtime.world import POLICIES, World


def test_the_page_on_identity_is_signed_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of the page by a shell, in order; what is published is verified and carried out."""
    lines = [line for line in IDENTIFIED if line in IDENTITY]
    cloud = Cloud.start([SHORT_CVPLUS], seed=1, alerter=False, ticks=False)
    cloud.identity.put(operator.ADA)
    desk = CloudPrompt(tmp_path, cloud.addresses)
    for name, value in build_proxy_environment(cloud.addresses["control"], tmp_path).items():
        monkeypatch.setenv(name, value)
    verifier = GoogleIdentity(SHORT_CVPLUS.project, anonymous=True)
    world = World(policy=SHORT_CVPLUS)
    world.ports.identity = verifier
    try:
        signed_in = desk.run(f"rollback login --email {operator.ADA.email}")
        assert signed_in.returncode == 0, signed_in.stderr
        for line in lines:
            done = desk.run(line)
            assert done.returncode == 0, (line, done.stderr)
        world.ports.clock.jump(cloud.clock.now() - world.ports.clock.now())
        for _, message in desk.published():
            if message.get("target"):
                world.announce(message["target"], stable=True)
        world.settle()
        for topic, message in desk.published():
            world.publish(topic, message)
            world.settle()
    finally:
        verifier.close()
        cloud.stop()

    assert refusal_reasons(world) == []
    assert len(desk.published()) == sum("topics publish" in line for line in lines)
    of_the_world = 2  # a drill and a promotion
    assert len(world.ports.store.query(Query("commands"))) == len(desk.published()) + of_the_world


def test_somebody_can_command_a_project_that_nobody_could_sign_in_to(tmp_path: Path) -> None:
    """The lines of the page on operating, in order: Ada is made, enrols, signs in, and is admin."""
    *made, enrol, login = PEOPLE
    cloud = Cloud.start([SHORT_CVPLUS], seed=1, alerter=False, ticks=False)
    desk = CloudPrompt(tmp_path, cloud.addresses)
    [project] = EXPORTED
    try:
        done = desk.run("\n".join(["set -eu", project, *made]))
        assert done.returncode == 0, done.stderr
        password = re.search(r"^[0-9a-f]{24}$", done.stderr, flags=re.M)
        assert password is not None
        ada = replace(operator.ADA, password=password[0], totp_secret=desk.enrol(enrol, password[0]))
        signed_in = desk.run(login, ada)
        assert signed_in.returncode == 0, signed_in.stderr
        _, claims = decode_unverified_token(desk.run("rollback token").stdout.strip())
        config = httpx.get(
            f"http://{cloud.addresses['rest']}/admin/v2/projects/cvplus/config",
            headers={"Host": "identitytoolkit.googleapis.com"},
        )
    finally:
        cloud.stop()

    assert (claims["email"], claims["rollback_role"]) == (operator.ADA.email, "admin")
    assert claims["firebase"]["sign_in_second_factor"] == "totp"
    assert config.json()["monitoring"]["requestLogging"]["enabled"] is True
    assert config.json()["mfa"]["state"] == "ENABLED"


def test_a_test_account_is_made_and_signs_in(tmp_path: Path) -> None:
    """The lines of the page, in order, and the probe of the policy that signs in."""
    policy = loader.load_policy(POLICIES / "cvplus.yaml")
    [probe] = (one for one in policy.probes if one.sign_in and not one.url)
    as_admin, project = next(line for line in PEOPLE if line.startswith("as_admin()")), EXPORTED[0]
    cloud = Cloud.start([replace(SHORT_CVPLUS, probes=())], seed=1, alerter=False, ticks=False)
    desk = CloudPrompt(tmp_path, cloud.addresses)
    prober = HttpProber(lambda _: cloud.addresses["control"], secrets=lambda: desk)
    try:
        done = desk.run("\n".join(["set -eu", project, as_admin, *SIGNING_IN]))
        assert done.returncode == 0, done.stderr
        answer = prober.ask(probe)
    finally:
        cloud.stop()

    assert answer.passed, answer.detail
    assert not (tmp_path / "probe.txt").exists()
