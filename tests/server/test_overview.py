"""The table before ``Ready``."""

from __future__ import annotations

import json
from itertools import count

from webpubsub.host.bindings.http_trigger import AuthLevel
from webpubsub.host.keys import KeyStore
from webpubsub.host.keys.access import WEBHOOK_KEY, Access
from webpubsub.host.loading.listing import FunctionListing
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.access.connection_string import DEFAULT_CONNECTION, ConnectionString
from webpubsub.server.overview import overview

FUNCTIONS = (
    FunctionListing(name="index", kind="http", where="f.py:1", methods=("GET",), path="/api/index"),
    FunctionListing(name="tick", kind="timer", where="f.py:2", schedule="0 * * * * *"),
    FunctionListing(
        name="on_message",
        kind="webPubSub",
        where="f.py:3",
        hub="chat",
        event_type="user",
        event_name="message",
    ),
)


def test_functions_stand_with_what_starts_them() -> None:
    text = overview(FUNCTIONS, "http://localhost:7071", DEFAULT_CONNECTION, is_embedded=True)
    assert text == (
        "Functions:\n"
        "  index       [GET] http://localhost:7071/api/index\n"
        "  tick        timer '0 * * * * *'\n"
        "  on_message  hub chat: user event 'message'\n"
        "\n"
        "Service endpoint: http://localhost:8080\n"
        "Connection string: Endpoint=http://localhost:8080;"
        "AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;\n"
    )


def test_a_service_elsewhere_is_shown_without_its_key_and_with_the_webhook_it_needs() -> None:
    remote = ConnectionString("https://name.webpubsub.azure.com", "secret")
    text = overview((), "http://localhost:7071", remote, is_embedded=False)
    assert "secret" not in text
    assert "Service endpoint: https://name.webpubsub.azure.com (not run here)\n" in text
    assert "http://localhost:7071/runtime/webhooks/webpubsub" in text


def test_event_handlers_are_shown_without_their_keys() -> None:
    handlers = ("chat=/api/{event}?code=secret", "other=https://elsewhere/{event}")
    text = overview(
        FUNCTIONS, "http://localhost:7071", DEFAULT_CONNECTION, is_embedded=True, event_handlers=handlers
    )
    assert text.endswith("Event handler: chat=/api/{event}\nEvent handler: other=https://elsewhere/{event}\n")


async def access() -> Access:
    """Keys that are easy to tell; the master key is one that a URL cannot hold as it is."""
    storage = MemoryStorage()
    key = {"name": "master", "value": "m&ster==", "encrypted": False}
    storage.blobs["azure-webjobs-secrets", "h/host.json"] = json.dumps({"masterKey": key}).encode()
    keys = KeyStore(storage, "h", extensions=[WEBHOOK_KEY], make=map("k{}-".format, count(1)).__next__)
    levels = {"open": AuthLevel.ANONYMOUS, "usual": AuthLevel.FUNCTION, "admins": AuthLevel.ADMIN}
    found = Access(keys, levels)
    await found.open()
    return found


KEYED = tuple(
    FunctionListing(name=name, kind="http", where="f.py:1", methods=("GET",), path=f"/api/{name}")
    for name in ("open", "usual", "admins")
)


async def test_with_keys_asked_for_urls_have_those_they_need() -> None:
    found = await access()
    text = overview(
        (*KEYED, FUNCTIONS[1]), "http://h:7071", DEFAULT_CONNECTION, is_embedded=True, access=found
    )
    lines = text.splitlines()
    assert lines[1:5] == [
        "  open    [GET] http://h:7071/api/open",
        f"  usual   [GET] http://h:7071/api/usual?code={found.code('usual')}",
        "  admins  [GET] http://h:7071/api/admins?code=m%26ster==",
        "  tick    timer '0 * * * * *'",
    ]
    assert lines[-1] == "Master key: m&ster=="


async def test_keys_are_not_shown_where_the_service_is_elsewhere() -> None:
    found = await access()
    remote = ConnectionString("https://name.webpubsub.azure.com", "secret")
    text = overview(KEYED, "http://h:7071", remote, is_embedded=False, access=found)
    assert "  open    [GET] http://h:7071/api/open\n" in text
    assert "  usual   [GET] http://h:7071/api/usual?code=...\n" in text
    assert "Event handler for its hubs: http://h:7071/runtime/webhooks/webpubsub?code=...\n" in text
    assert "azure-webjobs-secrets" in text
    for secret in ("secret\n", found.master, found.webhook_code, str(found.code("usual"))):
        assert secret not in text


def takers(*paths: str) -> tuple[FunctionListing, ...]:
    return tuple(
        FunctionListing(name=f"f{at}", kind="http", where="f.py:1", path=path, takes_events=True)
        for at, path in enumerate(paths)
    )


def test_http_functions_that_take_events_are_shown_with_the_option_that_sends_them() -> None:
    def last_line(*paths: str, handlers: tuple[str, ...] = ()) -> str:
        functions, url = (*FUNCTIONS, *takers(*paths)), "http://localhost:7071"
        shown = overview(functions, url, DEFAULT_CONNECTION, is_embedded=True, event_handlers=handlers)
        return shown.splitlines()[-1]

    assert last_line("/api/upstream") == "Events for f0 are sent with: --event-handler HUB=/api/upstream"
    assert last_line("/a/validate", "/a/connect") == (
        "Events for f0, f1 are sent with: --event-handler HUB=/a/{event}"
    )
    assert last_line("/api/upstream", handlers=("chat=/api/upstream",)) == "Event handler: chat=/api/upstream"


def test_no_connection_is_said_aloud() -> None:
    assert "Set WebPubSubConnectionString." in overview((), "http://localhost:7071", None, is_embedded=False)
