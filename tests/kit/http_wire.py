"""A socket under a server's HTTP protocol, with no network between."""

from __future__ import annotations

import asyncio

from kit.service_peers import Socket


class Wire(Socket):
    """A socket whose protocol may change, as in an upgrade."""

    protocol: asyncio.BaseProtocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return bool(self.ended)
