"""``webpubsub token`` prints a URL that the service takes."""

from __future__ import annotations

import time

import pytest

from webpubsub.cli.token import print_token
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, DEFAULT_CONNECTION
from webpubsub.model.access.tokens import decode_client_token


def test_the_url_is_that_of_the_local_service(capsys: pytest.CaptureFixture[str]) -> None:
    print_token("Chat", user="alice", roles=["r"], groups=["g"], minutes=5, connection=None)
    base, _, token = capsys.readouterr().out.strip().partition("?access_token=")
    assert base == "ws://localhost:8080/client/hubs/chat"
    found = decode_client_token(
        token, [DEFAULT_ACCESS_KEY], expected=["http://localhost:8080/client/hubs/chat"], now=time.time()
    )
    assert (found.user_id, found.roles, found.groups) == ("alice", ("r",), ("g",))


def test_the_default_connection_string_is_that_of_microsofts_emulator() -> None:
    assert str(DEFAULT_CONNECTION) == (
        "Endpoint=http://localhost:8080;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;"
    )
