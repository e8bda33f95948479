"""Actions over REST are told to the trace."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kit.rest_service import RestService, running_rest_service
from webpubsub.host.azure.rest_client import RestClient
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.actions import SendToAllAction
from webpubsub.model.errors import ActionRefused
from webpubsub.model.names import HubName
from webpubsub.model.trace import Name, Phase, Trace, TracedActions, TraceEvent

HUB = HubName("chat")
KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"


@pytest.fixture
async def service() -> AsyncIterator[RestService]:
    async with running_rest_service() as made:
        yield made


@pytest.fixture
async def client(service: RestService) -> AsyncIterator[RestClient]:
    made = RestClient(ConnectionString(service.url, KEY))
    yield made
    await made.close()


async def test_an_action_is_sent(client: RestClient, service: RestService) -> None:
    await client.perform(HUB, SendToAllAction("x"), request_id="r")
    ((method, target, headers, body),) = service.requests
    assert (method, target, body) == ("POST", "/api/hubs/chat/:send?api-version=2024-12-01", b"x")
    assert headers["x-ms-client-request-id"] == "r"


async def test_metadata_travels_in_headers(client: RestClient, service: RestService) -> None:
    await client.perform(HUB, SendToAllAction("x", metadata={"lang": "en"}))
    ((_, _, headers, _),) = service.requests
    assert headers["x-webpubsub-metadata-lang"] == "en"
    assert headers["authorization"].startswith("Bearer ")


async def test_the_trace_is_told(client: RestClient, service: RestService, events: list[TraceEvent]) -> None:
    sink = TracedActions(client, Trace(events.append), service.url)
    await sink.perform(HUB, SendToAllAction("x"), request_id="r")
    await sink.perform(HUB, SendToAllAction("x"))
    started, completed, _, last = events
    assert [event.phase for event in events] == [Phase.STARTED, Phase.COMPLETED] * 2
    assert started.name == completed.name == "action"
    assert (completed.ids, last.ids) == ({"hub": "chat", "request": "r"}, {"hub": "chat"})
    assert completed.detail == {
        "action": "sendToAll",
        "endpoint": service.url,
        "duration": completed.detail["duration"],
    }


async def test_the_trace_is_told_only_what_it_hears(client: RestClient, service: RestService) -> None:
    class Failures:
        def __init__(self) -> None:
            self.told: list[TraceEvent] = []

        def __call__(self, event: TraceEvent) -> None:
            self.told.append(event)

        def hears(self, _name: Name, phase: Phase) -> bool:
            return phase is Phase.FAILED

    traced = Failures()
    sink = TracedActions(client, Trace(traced), service.url)
    await sink.perform(HUB, SendToAllAction("x"))
    service.status = 500
    with pytest.raises(ActionRefused):
        await sink.perform(HUB, SendToAllAction("x"))
    assert [event.phase for event in traced.told] == [Phase.FAILED]


async def test_the_trace_is_told_of_failures(
    client: RestClient, service: RestService, events: list[TraceEvent]
) -> None:
    service.status = 500
    with pytest.raises(ActionRefused) as caught:
        await TracedActions(client, Trace(events.append), service.url).perform(HUB, SendToAllAction("x"))
    assert [event.phase for event in events] == [Phase.STARTED, Phase.FAILED]
    assert events[-1].error is caught.value
