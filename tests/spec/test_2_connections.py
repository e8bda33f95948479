"""Section 2 of the extension's specification: what a connection is, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kit.identity_peers import Credential
from kit.rest_service import running_rest_service
from kit.spec_app import KEY, SIGNATURE, USER, WEBHOOK, loaded_app, running_app, without
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.errors import ConnectionStringError

# Signatures of the connection with other keys, from section 3.5.
CCC = "sha256=5af79c68ab9d1ca0ba30fb07b49043297197c057eac2ceeae544b51fcea112e4"

KEYED = f"Endpoint=https://keyed.example;AccessKey={KEY};"
OTHER = "Endpoint=https://other.example;AccessKey=ccc;"
KEYLESS = "Endpoint=https://keyless.example;"


def trigger(members: str = "") -> str:
    return f"""
import azure.functions as func
app = func.FunctionApp()
seen = []

@app.generic_trigger(
    arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user", eventName="message", {members})
def f(request):
    seen.append(request)
"""


SENDER = """
import azure.functions as func
app = func.FunctionApp()

@app.route(route="send")
@app.generic_output_binding(arg_name="actions", type="webPubSub", hub="chat", connection="C")
def f(req, actions: func.Out[str]):
    actions.set('{"actionName": "sendToAll", "data": "hi"}')
    return "sent"
"""
PROBLEM = "function_app.py:5: function 'f': binding 'actions': "


def event_of(origin: str, signature: str | None) -> dict[str, str]:
    headers = without(USER, "ce-signature") | {"WebHook-Request-Origin": origin}
    return headers if signature is None else headers | {"ce-signature": signature}


# --- 2.1 section forms --------------------------------------------------------------------------------

TEXT = "Endpoint=https://text.example;AccessKey=k;"
SECTIONS = {
    "a string": ({"C": TEXT}, "text.example"),
    "a string in another case": ({"c": TEXT}, "text.example"),
    "a string wins over a section": ({"C": TEXT, "C__serviceUri": "https://uri.example"}, "text.example"),
    "a section": ({"C__serviceUri": "https://uri.example"}, "uri.example"),
    "a section in another case": ({"c__SERVICEURI": "https://uri.example"}, "uri.example"),
    "a section with a colon": ({"C:serviceUri": "https://uri.example/"}, "uri.example"),
    "a section and an empty string": ({"C": "", "C__serviceUri": "https://uri.example"}, "uri.example"),
    "a section with a port": ({"C__serviceUri": "https://URI.example:8443"}, "uri.example"),
}


@pytest.mark.parametrize(("settings", "host"), SECTIONS.values(), ids=SECTIONS)
async def test_2_1_a_name_stands_for_a_service(tmp_path: Path, settings: dict[str, str], host: str) -> None:
    async with running_app(tmp_path, trigger("connections=['C']"), settings) as app:
        for origin, status in ((host, 200), ("another.example", 400)):
            answer = await app.request("OPTIONS", WEBHOOK, {"WebHook-Request-Origin": origin})
            assert (origin, answer.status) == (origin, status)


NOTHING = {
    "nothing": (
        {},
        "connection 'C' does not exist: add a setting 'C' with the connection string of the service, or set "
        "the binding's 'connection' to the name of another setting",
    ),
    "an empty string": ({"C": ""}, "connection 'C' does not exist: "),
    "a section without serviceUri": ({"C__credential": "managedidentity"}, "connection 'C' does not exist: "),
    "a default one only": ({"WebPubSubConnectionString": TEXT}, "connection 'C' does not exist: "),
    "no URL": (
        {"C__serviceUri": "name.webpubsub.azure.com"},
        "connection 'C': serviceUri 'name.webpubsub.azure.com' is not a URL: expected "
        "'http://host[:port]' or 'https://host[:port]'",
    ),
    "a port that is none": ({"C__serviceUri": "https://a:b"}, "connection 'C': serviceUri 'https://a:b' is "),
    "a string with a serviceUri": (
        {"C__serviceUri": "https://a.example;AccessKey=k"},
        "connection 'C': serviceUri 'https://a.example;' is not a URL: ",
    ),
    "no connection string": (
        {"C": "https://a.example"},
        "connection 'C': the connection string has no 'Endpoint': expected 'Endpoint=https://...'",
    ),
}


@pytest.mark.parametrize(("settings", "problem"), NOTHING.values(), ids=NOTHING)
def test_2_1_a_name_that_stands_for_nothing_is_told(
    tmp_path: Path, settings: dict[str, str], problem: str
) -> None:
    with loaded_app(tmp_path, SENDER, settings) as app:
        (found,) = app.host.problems
    assert str(found).startswith(PROBLEM + problem)


# --- 2.2 connection-string parser ---------------------------------------------------------------------

PARSED = {
    "as Azure shows it": ("Endpoint=https://a.b;AccessKey=k;Version=1.0;", "https://a.b", "k"),
    "empty parts": (";;Endpoint=https://a.b;;AccessKey=k;;", "https://a.b", "k"),
    "the first = splits": ("Endpoint=https://a.b;AccessKey=a=b==", "https://a.b", "a=b=="),
    "parts without =": ("Endpoint=https://a.b;nonsense;AccessKey=k", "https://a.b", "k"),
    "blanks around": (" Endpoint = https://a.b ; AccessKey = k ", "https://a.b", "k"),
    "keys in any case": ("ENDPOINT=https://a.b;accesskey=k", "https://a.b", "k"),
    "a trailing slash": ("Endpoint=https://a.b/;AccessKey=k", "https://a.b", "k"),
    "no key": ("Endpoint=https://a.b", "https://a.b", None),
    "a port": ("Endpoint=http://a.b;AccessKey=k;Port=1", "http://a.b:1", "k"),
    "a port in the endpoint": ("Endpoint=http://a.b:8080;AccessKey=k", "http://a.b:8080", "k"),
    "Port wins": ("Endpoint=http://a.b:8080;AccessKey=k;Port=65535", "http://a.b:65535", "k"),
    "unknown keys": ("Endpoint=https://a.b;AccessKey=k;ClientEndpoint=https://c;X=y", "https://a.b", "k"),
}


@pytest.mark.parametrize(("text", "endpoint", "key"), PARSED.values(), ids=PARSED)
def test_2_2_a_connection_string(text: str, endpoint: str, key: str | None) -> None:
    assert ConnectionString.parse(text) == ConnectionString(endpoint, key)


REFUSED = {
    "a key twice": ("Endpoint=https://a.b;AccessKey=k;accesskey=l", "has 'accesskey' twice"),
    "the endpoint twice": ("Endpoint=https://a.b;ENDPOINT=https://c", "has 'endpoint' twice"),
    "an unknown key twice": ("Endpoint=https://a.b;X=1;x=2", "has 'x' twice"),
    "no endpoint": ("AccessKey=k", "the connection string has no 'Endpoint'"),
    "an empty endpoint": ("Endpoint=;AccessKey=k", "the connection string has no 'Endpoint'"),
    "nothing": ("", "the connection string is empty"),
    **{
        f"port {port!r}": (
            f"Endpoint=https://a.b;AccessKey=k;Port={port}",
            f"Port {port!r} is not a number from 1 to 65535",
        )
        for port in ("0", "-1", "65536", "70000", "abc", "")
    },
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), REFUSED.values(), ids=REFUSED)
def test_2_2_what_is_no_connection_string(text: str, problem: str) -> None:
    with pytest.raises(ConnectionStringError) as caught:
        ConnectionString.parse(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize("signature", [None, "", CCC, SIGNATURE])
async def test_2_2_without_a_key_signatures_are_not_checked_but_origins_are(
    tmp_path: Path, signature: str | None
) -> None:
    async with running_app(tmp_path, trigger("connections=['C']"), {"C": KEYLESS}) as app:
        assert (await app.event(event_of("keyless.example", signature), b"hi")).status == 200
        assert (await app.event(event_of("another.example", signature), b"hi")).status == 401


def test_2_2_without_a_key_nothing_can_be_signed(tmp_path: Path) -> None:
    with loaded_app(tmp_path, SENDER, {"C": KEYLESS}) as app:
        (found,) = app.host.problems
    assert str(found) == (
        f"{PROBLEM}connection 'C' has no AccessKey to sign with: set 'C' to a connection string with "
        "AccessKey, or remove it and set 'C__serviceUri' to sign in with an identity"
    )


# --- 2.3 what identity changes ------------------------------------------------------------------------

IDENTITY = {"C__serviceUri": "https://managed.example"}


@pytest.mark.parametrize("signature", [None, "", CCC])
async def test_2_3_signatures_are_not_checked_but_origins_are(tmp_path: Path, signature: str | None) -> None:
    async with running_app(tmp_path, trigger("connections=['C']"), IDENTITY) as app:
        assert (await app.event(event_of("managed.example", signature), b"hi")).status == 200
        assert (await app.event(event_of("another.example", signature), b"hi")).status == 401
        assert (await app.event(event_of("", signature), b"hi")).status == 401


async def test_2_3_actions_carry_the_token_of_the_identity(tmp_path: Path) -> None:
    credential = Credential(["of the identity"], expires_on=4_000_000_000)
    async with running_rest_service() as service:
        settings = {"C__serviceUri": service.url}
        async with running_app(tmp_path, SENDER, settings, credentials={"C": credential}) as app:
            for _ in range(3):
                assert (await app.request("POST", "/api/send")).text == "sent"
    assert service.authorizations == ["Bearer of the identity"] * 3
    assert credential.asked == [("https://webpubsub.azure.com/.default",)]


async def test_2_3_an_identity_without_a_token_fails_the_function(tmp_path: Path) -> None:
    async with running_rest_service() as service:
        settings = {"C__serviceUri": service.url}
        async with running_app(tmp_path, SENDER, settings, credentials={"C": Credential([])}) as app:
            assert (await app.request("POST", "/api/send")).status == 500
            assert app.failure == (
                "the identity of connection 'C' gets no token: the provider is away (status 401)"
            )
    assert service.requests == []


@pytest.mark.parametrize("uri", ["http://managed.example", "http://10.0.0.1:8080"])
def test_2_3_a_token_does_not_leave_the_machine_unencrypted(tmp_path: Path, uri: str) -> None:
    with loaded_app(tmp_path, SENDER, {"C__serviceUri": uri}, credentials={"C": Credential([])}) as app:
        (found,) = app.host.problems
    assert str(found) == (
        f"{PROBLEM}connection 'C': serviceUri is '{uri}', and an identity's token must not leave this "
        "machine unencrypted: use https"
    )


def test_2_3_the_section_says_which_identity(tmp_path: Path, need_package: Callable[..., None]) -> None:
    need_package("azure.identity", install='pip install "webpubsub[identity]"')
    settings = {**IDENTITY, "C__clientSecret": "hidden"}
    with loaded_app(tmp_path, SENDER, settings) as app:
        (found,) = app.host.problems
    assert str(found) == (
        f"{PROBLEM}connection 'C': 'clientSecret' is set, but not tenantId and clientId: set all three"
    )


# --- the connections of a trigger (1.1 and 3.5) -------------------------------------------------------

SERVICES = {
    "Keyed": KEYED,
    "Other": OTHER,
    "Keyless": KEYLESS,
    "Managed__serviceUri": "https://managed.example",
}
MEMBERS = {
    "several": ("connections=['Keyed', 'Other', 'Managed']", ["keyed", "other", "managed"]),
    "one": ("connections=['Other']", ["other"]),
    "the older member": ("connection='Other'", ["other"]),
    "the older member is empty": ("connection=''", ["default"]),
    "an empty list": ("connections=[]", ["default"]),
    "an empty list and the older member": ("connections=[], connection='Other'", ["other"]),
    "both: connections wins": ("connections=['Keyed'], connection='Other'", ["keyed"]),
    "none": ("", ["default"]),
}


@pytest.mark.parametrize(("members", "services"), MEMBERS.values(), ids=MEMBERS)
async def test_a_trigger_takes_the_events_of_its_connections_only(
    tmp_path: Path, members: str, services: list[str]
) -> None:
    default = "Endpoint=https://default.example;AccessKey=ccc;"
    settings = {**SERVICES, "WebPubSubConnectionString": default}
    async with running_app(tmp_path, trigger(members), settings) as app:
        taken = [
            name
            for name, signature in (
                ("default", CCC), ("keyed", SIGNATURE), ("other", CCC), ("keyless", None), ("managed", None)
            )
            if (await app.event(event_of(f"{name}.example", signature), b"hi")).status == 200
        ]  # fmt: skip
    assert taken == services


@pytest.mark.parametrize(
    ("origin", "signature", "status"),
    [
        ("keyed.example", SIGNATURE, 200),
        ("other.example", CCC, 200),
        ("keyed.example", CCC, 401),
        ("other.example", SIGNATURE, 401),
        # The service signs with both of its keys: the app has either, whichever is being replaced.
        ("keyed.example", f"{SIGNATURE},{CCC}", 200),
        ("keyed.example", f"{CCC},{SIGNATURE}", 200),
        ("other.example", f"{SIGNATURE},{CCC}", 200),
        ("keyed.example", f"{CCC} {SIGNATURE.upper()}", 200),
        ("keyed.example", f"{CCC},{CCC}", 401),
        # The first origin that is known decides.
        ("unknown.example,keyed.example", SIGNATURE, 200),
        ("other.example, keyed.example", SIGNATURE, 401),
    ],
)
async def test_an_event_is_checked_with_the_key_of_its_service(
    tmp_path: Path, origin: str, signature: str, status: int
) -> None:
    async with running_app(tmp_path, trigger("connections=['Keyed', 'Other']"), SERVICES) as app:
        assert (await app.event(event_of(origin, signature), b"hi")).status == status
        assert len(app.seen) == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    "twin",
    [
        {"Twin": "Endpoint=http://KEYED.example:8080;AccessKey=x;"},
        {"Twin": "Endpoint=https://keyed.example;"},
        {"Twin__serviceUri": "https://keyed.example:444"},
    ],
)
def test_two_connections_of_one_host_are_refused(tmp_path: Path, twin: dict[str, str]) -> None:
    with loaded_app(tmp_path, trigger("connections=['Keyed', 'Twin']"), {**SERVICES, **twin}) as app:
        (found,) = app.host.problems
    assert str(found).endswith(
        "two connections have the host 'keyed.example': a signature could not be assigned; keep one"
    )
