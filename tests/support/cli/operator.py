"""Ada, who signs in at the prompt with a second factor, and whose commands are really signed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from local.cloud import Cloud
from local.control.proxy import detour
from local.services.identity import Account
from local.services.identity.users import code
from shared.wiring.settings import DETOURS

ADA = Account("ada@example.com", "pw", role="admin", totp_secret="JBSWY3DPEHPK3PXP")


def at_home(monkeypatch: pytest.MonkeyPatch, cloud: Cloud, folder: Path) -> None:
    """This process finds the cloud's identity as if it were Google's, and keeps its sign-in here.

    The folder gets files of its own; nobody is signed in yet.
    """
    home = folder / "home"
    home.mkdir()
    for name in (*DETOURS, "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in detour(cloud.addresses["control"], home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("ROLLBACK_API_KEY", "any")


def answers(account: Account = ADA) -> str:
    """What a person types when they are asked."""
    return f"{account.password}\n{code(account.totp_secret, time.time())}\n"


def sign_in(cloud: Cloud, account: Account = ADA) -> None:
    """That person is a person of the cloud, and signs in at the prompt."""
    cloud.identity.put(account)
    done = say("login", "--email", account.email, typed=answers(account))
    assert done.exit_code == 0, done.output


def say(*words: str, typed: str = "") -> Result:
    """A line at the prompt."""
    return CliRunner().invoke(app, list(words), input=typed, catch_exceptions=False)
