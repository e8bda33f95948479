"""What runs here, and would not or would run differently on Azure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.spec_app import loaded_app

HEAD = """\
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp(http_auth_level="ANONYMOUS")
"""
TRIGGER = """
@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
def message(request: wps.UserEventRequest) -> str:
    return "hi"
"""
UNTYPED_TRIGGER = """
@app.generic_trigger("request", "webPubSubTrigger", hub="chat", eventType="user", eventName="message")
def message(request):
    return {}
"""
CONTEXT = """
@app.route(route="{event}")
@app.web_pubsub_context_input()
def upstream(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    return wps.http_response(wps_context)
"""
NEGOTIATE = """
@app.route(route="negotiate")
@app.web_pubsub_connection_input(hub="chat", roles=["webpubsub.sendToGroup"], expires_after=60)
def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> str:
    return connection.url
"""
PLAIN = """
@app.route(route="plain")
def plain(req: func.HttpRequest) -> str:
    return ""
"""
GOOD_HOST = {
    "version": "2.0",
    "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
}


def warnings(
    folder: Path, *functions: str, host: object = GOOD_HOST, requirements: str | None = None
) -> list[str]:
    if requirements is not None:
        (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    with loaded_app(folder, HEAD + "".join(functions), host_json=json.dumps(host)) as app:
        assert app.host.problems == ()
        return list(app.host.warnings)


def test_members_that_azure_ignores(tmp_path: Path) -> None:
    assert warnings(tmp_path, NEGOTIATE) == [
        "function_app.py:5: function 'negotiate': binding 'connection' has roles, expiresAfter, which Azure "
        "ignores: there the client gets no roles, no groups and an hour; answer its connect event with roles "
        "and groups, or make the token with the package azure-messaging-webpubsubservice"
    ]


def test_an_extension_that_azure_does_not_load(tmp_path: Path) -> None:
    assert warnings(tmp_path, CONTEXT) == [
        "Azure's extension bundle does not load the Web PubSub extension for an app whose only binding of it "
        "is webPubSubContext: give a function another, for example a webPubSub output"
    ]
    assert warnings(tmp_path, CONTEXT, TRIGGER) == []


@pytest.mark.parametrize(
    ("bundle", "texts"),
    [
        ({}, ["names no extension bundle, so Azure loads no Web PubSub extension: add "]),
        ({"id": "Microsoft.Azure.Functions.ExtensionBundle"}, ["names no extension bundle"]),
        ({"id": "any", "version": "[3.3.*, 4.0.0)"}, ["asks for the extension bundle [3.3.*, 4.0.0), whose"]),
        ({"id": "any", "version": "[4.*, 5.0.0)"}, []),
        ({"id": "any", "version": "[4.35.0, 5.0.0)"}, []),
    ],
)
def test_extension_bundles(tmp_path: Path, bundle: dict[str, str], texts: list[str]) -> None:
    found = warnings(tmp_path, TRIGGER, host={"version": "2.0", "extensionBundle": bundle})
    assert len(found) == len(texts)
    for text, warning in zip(texts, found, strict=True):
        assert warning.startswith(f"{tmp_path / 'host.json'} {text}")


def test_an_app_without_our_bindings_needs_no_bundle(tmp_path: Path) -> None:
    assert warnings(tmp_path, PLAIN, host={"version": "2.0"}, requirements="azure-functions") == []


@pytest.mark.parametrize(
    ("requirements", "is_warned"),
    [
        (None, False),
        ("azure-functions\nwebpubsub\n", False),
        ("azure-functions\n WebPubSub[identity] >= 0.1  # typed bindings\n", False),
        ("azure-functions\n# webpubsub\nazure-messaging-webpubsubservice\n", True),
        ("", True),
    ],
)
def test_requirements(tmp_path: Path, requirements: str | None, is_warned: bool) -> None:
    expected = (
        f"{tmp_path / 'requirements.txt'} does not name webpubsub, so Azure does not install what the app "
        "imports: add the line 'webpubsub'"
    )
    assert warnings(tmp_path, TRIGGER, requirements=requirements) == [expected] * is_warned
    assert warnings(tmp_path, UNTYPED_TRIGGER, requirements=requirements) == []
