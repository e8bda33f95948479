"""What the embedded service listens on, and with which key."""

from __future__ import annotations

import socket

import pytest

from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY
from webpubsub.model.errors import ConfigurationError
from webpubsub.server.embedded import check_keys, local_connection


def test_the_public_key_is_refused_beyond_this_machine() -> None:
    public, own = [DEFAULT_ACCESS_KEY], ["k" * 40]
    for keys in (public, own + public):
        with pytest.raises(ConfigurationError, match="set your own, or pass --insecure-default-key"):
            check_keys("0.0.0.0", keys, "set your own", insecure_default_key=False)
    check_keys("0.0.0.0", public, "", insecure_default_key=True)
    check_keys("0.0.0.0", own, "", insecure_default_key=False)
    check_keys("127.0.0.1", public, "", insecure_default_key=False)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "localhost"),
        ("0.0.0.0", "localhost"),
        ("::", "localhost"),
        ("LocalHost", "localhost"),
        ("127.0.0.2", "127.0.0.2"),  # where the name localhost does not lead
        ("::1", "[::1]"),
        ("192.0.2.7", "192.0.2.7"),
    ],
)
def test_the_connection_string_has_the_port_that_was_bound(host: str, name: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert str(local_connection(listener, host, "k")) == (
            f"Endpoint=http://{name}:{port};AccessKey=k;Version=1.0;"
        )
