"""Settings: what an environment says, and when it is refused."""

import pytest

from shared.core.errors import BadConfiguration
from shared.wiring.settings import EMULATOR_VARIABLES, PROXY_VARIABLES, Settings

PROJECT = {"GOOGLE_CLOUD_PROJECT": "rollback-ops"}


def test_in_the_cloud() -> None:
    """With a project alone everything runs against Google's services."""
    settings = Settings.from_mapping({**PROJECT, "K_SERVICE": "on-alert", "HOME": "/root"})

    assert settings == Settings(project="rollback-ops", database="rollback", policies="policies")


def test_beside_an_embedded_cloud() -> None:
    """Local wiring is taken over where it points to loopback."""
    settings = Settings.from_mapping(
        {
            **PROJECT,
            "ROLLBACK_DATABASE": "rollback-eu",
            "ROLLBACK_POLICIES": "/etc/policies",
            "ROLLBACK_POLICY_BUCKET": "rollback-ops-policies",
            "ROLLBACK_IDENTITY_PROJECT": "shop-people",
            "ROLLBACK_AUDIT_BUCKET": "rollback-ops-audit",
            "ROLLBACK_SOURCES_BUCKET": "rollback-ops-sources",
            "ROLLBACK_VALUES_BUCKET": "rollback-ops-values",
            "ROLLBACK_QUARANTINE_BUCKET": "rollback-ops-quarantine",
            "ROLLBACK_STATUS_BUCKET": "rollback-ops-status",
            "ROLLBACK_API_KEY": "AIza",
            "ROLLBACK_CONSOLE_ACCOUNT": "console@rollback-ops.iam.gserviceaccount.com",
            "ROLLBACK_LOCAL_CLOUD": "http://127.0.0.1:9000",
            "FIRESTORE_EMULATOR_HOST": "localhost:8080",
            "PUBSUB_EMULATOR_HOST": "[::1]:8085",
            "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9199",
        }
    )

    assert settings == Settings(
        project="rollback-ops",
        database="rollback-eu",
        policies="/etc/policies",
        policy_bucket="rollback-ops-policies",
        identity_project="shop-people",
        audit_bucket="rollback-ops-audit",
        sources_bucket="rollback-ops-sources",
        values_bucket="rollback-ops-values",
        quarantine_bucket="rollback-ops-quarantine",
        status_bucket="rollback-ops-status",
        api_key="AIza",
        console_account="console@rollback-ops.iam.gserviceaccount.com",
        local_cloud="http://127.0.0.1:9000",
        firestore_emulator="localhost:8080",
        pubsub_emulator="[::1]:8085",
        storage_emulator="http://127.0.0.1:9199",
    )


def test_empty_variables_are_absent() -> None:
    """A variable that is set to nothing says nothing, as Google's clients read it."""
    environ = {**PROJECT, "K_SERVICE": "x", "ROLLBACK_DATABASE": "", "FIRESTORE_EMULATOR_HOST": ""}

    assert Settings.from_mapping(environ) == Settings(project="rollback-ops")


@pytest.mark.parametrize("name", [*EMULATOR_VARIABLES, "ROLLBACK_LOCAL_CLOUD"])
def test_local_wiring_in_the_cloud(name: str) -> None:
    """On Cloud Run no emulator variable and no loopback wiring is ever followed."""
    wiring = "http://127.0.0.1:9000" if name == "ROLLBACK_LOCAL_CLOUD" else "127.0.0.1:9000"
    Settings.from_mapping({**PROJECT, name: wiring})

    with pytest.raises(BadConfiguration, match="set on Cloud Run"):
        Settings.from_mapping({**PROJECT, name: wiring, "K_SERVICE": "on-alert"})


@pytest.mark.parametrize("name", PROXY_VARIABLES)
def test_a_detour_in_the_cloud(name: str) -> None:
    """Whoever leads HTTPS elsewhere, or chooses whom it trusts, could sign anybody in."""
    Settings.from_mapping({**PROJECT, name: "/somewhere"})

    with pytest.raises(BadConfiguration, match=f"{name} is set on Cloud Run"):
        Settings.from_mapping({**PROJECT, name: "/somewhere", "K_SERVICE": "on-command"})


def test_an_identity_project_that_is_none() -> None:
    """It is compared with what tokens say: a typing mistake would refuse everybody."""
    with pytest.raises(BadConfiguration, match="'People!' is not a project id"):
        Settings.from_mapping({**PROJECT, "ROLLBACK_IDENTITY_PROJECT": "People!"})


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1:80",
        "http://example.com:80",
        "http://localhost.example.com:80",
        "http://127.0.0.1@example.com:80",
        "http://127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:70000",
        "http://127.0.0.1:port",
        "http://[::1",
        "http://[::2]:80",
        "http://:80",
        "https://127.0.0.1:80",
        "ftp://127.0.0.1:80",
        "127.0.0.1:80",
        "http://127.0.0.1:80?to=example.com",
    ],
)
def test_a_local_cloud_elsewhere(address: str) -> None:
    """The embedded cloud is spoken to over loopback only."""
    with pytest.raises(BadConfiguration, match="is not on loopback"):
        Settings.from_mapping({**PROJECT, "ROLLBACK_LOCAL_CLOUD": address})


@pytest.mark.parametrize("name", EMULATOR_VARIABLES)
@pytest.mark.parametrize("host", ["example.com:80", "0.0.0.0:80", "127.0.0.1", "https://a:1", ":1"])
def test_an_emulator_elsewhere(name: str, host: str) -> None:
    """Credentials and state never go to an emulator on another machine."""
    with pytest.raises(BadConfiguration, match="is not on loopback"):
        Settings.from_mapping({**PROJECT, name: host})


def test_every_fault_is_listed() -> None:
    """Who mends an environment learns of all faults at once."""
    with pytest.raises(BadConfiguration) as caught:
        Settings.from_mapping(
            {
                "ROLLBACK_DATABASE": "Rollback!",
                "ROLLBACK_AUDIT_BUCKET": "gs://heads",
                "ROLLBACK_SOURCES_BUCKET": "A",
                "ROLLBACK_STATUS_BUCKET": "gs://pages",
                "ROLLBACK_LOCAL_CLOUD": "http://example.com:1",
                "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9199",
                "K_SERVICE": "on-alert",
            }
        )

    assert caught.value.faults == (
        "GOOGLE_CLOUD_PROJECT is not set",
        "ROLLBACK_DATABASE 'Rollback!' is not a database id",
        "ROLLBACK_AUDIT_BUCKET 'gs://heads' is not the name of a bucket",
        "ROLLBACK_SOURCES_BUCKET 'A' is not the name of a bucket",
        "ROLLBACK_STATUS_BUCKET 'gs://pages' is not the name of a bucket",
        "ROLLBACK_LOCAL_CLOUD 'http://example.com:1' is not on loopback",
        "ROLLBACK_LOCAL_CLOUD is set on Cloud Run (K_SERVICE): local wiring is refused there",
        "STORAGE_EMULATOR_HOST is set on Cloud Run (K_SERVICE): local wiring is refused there",
    )
