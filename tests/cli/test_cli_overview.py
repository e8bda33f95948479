"""The table before ``Ready``."""

from __future__ import annotations

from webpubsub.cli.overview import overview
from webpubsub.cli.token import DEFAULT_CONNECTION
from webpubsub.host.asgi import FunctionListing
from webpubsub.model.connection_string import ConnectionString

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


def test_no_connection_is_said_aloud() -> None:
    assert "Set WebPubSubConnectionString." in overview((), "http://localhost:7071", None, is_embedded=False)
