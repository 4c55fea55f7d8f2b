"""Ada, who signs in at the prompt with a second factor, and whose commands are really signed."""

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from local.cloud import Cloud
from local.control.proxy import build_proxy_environment
from local.services.identity import Account
from local.services.identity.users import totp_code
from shared.wiring.settings import PROXY_VARIABLES

ADA = Account("ada@example.com", "pw", role="admin", totp_secret="JBSWY3DPEHPK3PXP")


def connect_to_cloud_identity(monkeypatch: pytest.MonkeyPatch, cloud: Cloud, folder: Path) -> None:
    """This process finds the cloud's identity as if it were Google's, and keeps its sign-in here.

    The folder gets files of its own; nobody is signed in yet.
    """
    home = folder / "home"
    home.mkdir()
    for name in (*PROXY_VARIABLES, "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in build_proxy_environment(cloud.addresses["control"], home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("ROLLBACK_API_KEY", "any")


def build_prompt_input(account: Account = ADA) -> str:
    """What a person types when they are asked."""
    return f"{account.password}\n{totp_code(account.totp_secret, time.time())}\n"


def sign_in_at_prompt(cloud: Cloud, account: Account = ADA) -> None:
    """That person is a person of the cloud, and signs in at the prompt."""
    cloud.identity.put(account)
    done = run_cli_line("login", "--email", account.email, typed=build_prompt_input(account))
    assert done.exit_code == 0, done.output


def run_cli_line(*words: str, typed: str = "") -> Result:
    """A line at the prompt."""
    return CliRunner().invoke(app, list(words), input=typed, catch_exceptions=False)
