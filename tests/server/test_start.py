"""Which events the embedded service sends to the app."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from kit.starting import start_options
from webpubsub.host.loading.listing import FunctionListing
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.names import HubName
from webpubsub.model.trace import Trace, TraceEvent
from webpubsub.server.addresses import Addresses
from webpubsub.server.served_app import OPEN_TO_ALL, hub_settings, load_host

WEBHOOK = "http://127.0.0.1:7071/runtime/webhooks/webpubsub"


def listing(hub: str, event_type: str, event_name: str) -> FunctionListing:
    return FunctionListing(
        name="f", kind="webPubSub", where="f.py:1", hub=hub, event_type=event_type, event_name=event_name
    )


def test_the_host_is_registered_for_exactly_the_events_that_have_functions() -> None:
    settings = hub_settings(
        [
            listing("chat", "system", "Connect"),
            listing("Chat", "user", "message"),
            listing("chat", "user", "typing"),
            listing("other", "system", "disconnected"),
            FunctionListing(name="index", kind="http", where="f.py:1"),
        ],
        WEBHOOK,
    )
    assert set(settings) == {"chat", "other"}
    (handler,) = settings[HubName("chat")].event_handlers
    assert handler.url_template == WEBHOOK
    assert handler.system_events == ("connect",)
    assert handler.user_event_pattern == "message,typing"
    assert handler.takes(WebPubSubEventType.USER, "TYPING")
    assert not handler.takes(WebPubSubEventType.USER, "else")
    (other,) = settings[HubName("other")].event_handlers
    assert other.system_events == ("disconnected",)
    assert not other.takes(WebPubSubEventType.USER, "message")


@pytest.mark.parametrize(
    ("address", "auth", "is_warned"),
    [("127.0.0.1", False, False), ("0.0.0.0", False, True), ("0.0.0.0", True, False)],
)
def test_who_listens_for_other_machines_without_keys_is_warned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, auth: bool, is_warned: bool
) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "function_app", raising=False)
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route()\ndef f(req): ...\n"
    )
    told: list[TraceEvent] = []
    options = start_options(tmp_path, host=address, with_service=False, auth=auth, strict=True)
    with socket.socket() as listener:  # bound, and deaf
        listener.bind((address, 0))
        host = load_host(options, Addresses("http://localhost:1", listener), Trace(told.append))
    assert (host.access is not None) == auth
    assert [event.detail["message"] for event in told] == ([OPEN_TO_ALL] if is_warned else [])
