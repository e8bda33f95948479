"""Presence events on the wire: service spec, section D.8; extension spec, section 3.9."""

from __future__ import annotations

import pytest

from webpubsub.model.cloudevents import build_body, build_headers, parse_answer, parse_context, parse_event
from webpubsub.model.events import (
    GroupJoinedEventRequest,
    GroupLeftEventRequest,
    PresenceEventRequest,
    UserEventRequest,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.names import ConnectionId, EventName, GroupName, HubName, UserId
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import ConnectionStates

NAMES: list[tuple[str, type[PresenceEventRequest]]] = [
    ("joined", GroupJoinedEventRequest),
    ("left", GroupLeftEventRequest),
]


def context(name: str) -> WebPubSubConnectionContext:
    return WebPubSubConnectionContext(
        event_type=WebPubSubEventType.SYSTEM,
        event_name=EventName(name),
        hub=HubName("chat"),
        connection_id=ConnectionId("c1"),
        user_id=UserId("alice"),
        subprotocol="json.webpubsub.azure.v1",
        states=ConnectionStates("e30="),
        event_id=2,
    )


@pytest.mark.parametrize(("name", "event"), NAMES)
def test_a_presence_event_is_written(name: str, event: type[PresenceEventRequest]) -> None:
    request = event(context(name), GroupName('the "é" room'))
    written = build_headers(
        request, origin="localhost", signature="sha256=aa", time="2026-01-02T03:04:05Z", request_id="r1"
    )
    assert written == [
        ("Content-Type", "application/json; charset=utf-8"),
        ("WebHook-Request-Origin", "localhost"),
        ("ce-specversion", "1.0"),
        ("ce-awpsversion", "1.0"),
        ("ce-type", f"azure.webpubsub.gp.{name}"),
        ("ce-source", "/hubs/chat/client/c1"),
        ("ce-id", "2"),
        ("ce-time", "2026-01-02T03:04:05Z"),
        ("ce-signature", "sha256=aa"),
        ("ce-connectionId", "c1"),
        ("ce-hub", "chat"),
        ("ce-eventName", name),
        ("x-ms-client-request-id", "r1"),
        ("ce-userId", "alice"),
        ("ce-subprotocol", "json.webpubsub.azure.v1"),
        ("ce-connectionState", "e30="),
    ]
    assert build_body(request) == '{"group":"the \\"é\\" room"}'.encode()


@pytest.mark.parametrize(("name", "event"), NAMES)
def test_it_is_read_as_a_user_event_of_its_name(name: str, event: type[PresenceEventRequest]) -> None:
    written = event(context(name), GroupName("room"))
    headers = build_headers(written, origin="localhost", signature="", time="", request_id="")
    found = parse_context([(each.lower().encode(), value.encode()) for each, value in headers])
    assert (found.event_type, found.event_name, found.connection_id) == ("user", name, "c1")
    assert found.headers["ce-type"] == [f"azure.webpubsub.gp.{name}"]
    request = parse_event(found, "application/json; charset=utf-8", build_body(written))
    assert isinstance(request, UserEventRequest)
    assert request.data == {"group": "room"}


@pytest.mark.parametrize(("name", "event"), NAMES)
def test_an_answer_has_no_effect(name: str, event: type[PresenceEventRequest]) -> None:
    request = event(context(name), GroupName("room"))
    assert parse_answer(request, 200, "text/plain", "e30=", b"hi") == EventAnswer()
