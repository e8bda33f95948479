"""``webpubsub token`` prints a URL that the service takes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from click.testing import CliRunner

from kit.command_line import options_of
from webpubsub.cli.commands import NAME, command
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, DEFAULT_CONNECTION
from webpubsub.model.access.tokens import decode_client_token

OWN_KEY = "k" * 32
OWN = f"Endpoint=http://h:1;AccessKey={OWN_KEY};"


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WebPubSubConnectionString", raising=False)


def printed(*arguments: str, env: dict[str, str] | None = None) -> tuple[str, str]:
    """Return the URL without its token, and the token."""
    done = CliRunner().invoke(command, ["token", *arguments], prog_name=NAME, env=env)
    assert done.exit_code == 0, done.output
    assert done.output.endswith("\n")
    url, _, token = done.output.strip().partition("?access_token=")
    return url, token


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{body}=="))
    return claims


def test_a_client_of_the_local_service_is_anonymous_for_an_hour() -> None:
    url, token = printed("--hub", "Chat")
    assert url == "ws://localhost:8080/client/hubs/chat"
    claims = claims_of(token)
    found = decode_client_token(
        token, [DEFAULT_ACCESS_KEY], expected=["http://localhost:8080/client/hubs/chat"], now=claims["nbf"]
    )
    assert (found.user_id, found.roles, found.groups) == (None, (), ())
    assert claims["exp"] - claims["nbf"] == 3600


VALUES = {
    "hub": "chat",
    "user": "alice",
    "role": "r s",
    "group": "g h",
    "minutes": "5",
    "connection": OWN,
}


@pytest.mark.parametrize("by", ["options", "variables"])
def test_each_option_can_be_given_by_a_variable(by: str) -> None:
    assert VALUES.keys() == {option.name for option in options_of("token")}
    if by == "options":
        repeated = [(name, each) for name, value in VALUES.items() for each in value.split()]
        url, token = printed(*[word for name, value in repeated for word in (f"--{name}", value)])
    else:
        url, token = printed(env={f"WEBPUBSUB_TOKEN_{name.upper()}": value for name, value in VALUES.items()})
    assert url == "ws://h:1/client/hubs/chat"
    claims = claims_of(token)
    found = decode_client_token(token, [OWN_KEY], expected=["http://h:1/client/hubs/chat"], now=claims["nbf"])
    assert (found.user_id, found.roles, found.groups) == ("alice", ("r", "s"), ("g", "h"))
    assert claims["exp"] - claims["nbf"] == 300


def test_a_token_is_for_the_connection_string_of_the_environment() -> None:
    url, _ = printed("--hub", "chat", env={"WebPubSubConnectionString": OWN})
    assert url == "ws://h:1/client/hubs/chat"


def test_the_default_connection_string_is_that_of_microsofts_emulator() -> None:
    assert str(DEFAULT_CONNECTION) == (
        "Endpoint=http://localhost:8080;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;"
    )
