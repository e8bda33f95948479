"""The notifications example: a timer that speaks to everybody."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from kit.contract_clients import hear

pytestmark = pytest.mark.contract


UNTYPED = Path(__file__).with_name("notifications_untyped")


async def check_that_a_reading_arrives(command: Any) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{command.host_url}/api/index") as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
        async with session.get(f"{command.host_url}/api/negotiate") as answer:
            # The untyped app hands JSON on as it came, as text.
            negotiated = await answer.json(content_type=None)
    assert negotiated["baseUrl"].endswith("/client/hubs/sample_notification")
    async with connect(negotiated["url"]) as client:
        (reading,) = await hear(client, within=11.5)
    assert re.fullmatch(
        r"\[DateTime: \d{4}-\d\d-\d\d \d\d:\d\d:\d0 UTC\] "
        r"Temperature: 2[2-4]\.\d\N{DEGREE SIGN}C, Humidity: [45]\d\.\d%",
        str(reading),
    )


@pytest.mark.parametrize("example", ["notifications", "notifications-v1"])
async def test_a_reading_arrives_within_ten_seconds(
    start_example: Callable[[str], Any], example: str
) -> None:
    with start_example(example) as command:
        await check_that_a_reading_arrives(command)


async def test_an_untyped_app_of_folders_runs_unchanged(
    run_command: Callable[..., Any], tmp_path: Path
) -> None:
    app = shutil.copytree(UNTYPED, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    with run_command("start", str(app), "--port", "0", "--service-port", "0") as command:
        await check_that_a_reading_arrives(command)
