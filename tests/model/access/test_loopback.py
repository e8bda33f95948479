"""Addresses of this machine."""

from __future__ import annotations

import pytest

from webpubsub.model.access.connection_string import is_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_addresses_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "name.webpubsub.azure.com", ""])
def test_addresses_others_can_reach(host: str) -> None:
    assert not is_loopback(host)
