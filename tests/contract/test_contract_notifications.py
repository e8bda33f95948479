"""The notifications example: a timer that speaks to everybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect

from contract_clients import get_json, hear

pytestmark = pytest.mark.contract


async def test_a_reading_arrives_within_ten_seconds(start_example: Callable[[str], Any]) -> None:
    with start_example("notifications") as command:
        negotiated = await get_json(f"{command.host_url}/api/negotiate")
        async with connect(negotiated["url"]) as client:
            (reading,) = await hear(client, within=11.5)
        assert re.fullmatch(
            r"\[DateTime: \d{4}-\d\d-\d\d \d\d:\d\d:\d0 UTC\] "
            r"Temperature: 2[2-4]\.\d\N{DEGREE SIGN}C, Humidity: [45]\d\.\d%",
            str(reading),
        )
