"""What the service is called, also behind proxies: service spec, A.6, B.2 and B.4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kit.rest_peers import HOST, Api
from kit.service_peers import CHAT, KEY, NOW, token
from kit.service_sockets import upgrade
from webpubsub.model.access.tokens import decode_client_token
from webpubsub.model.errors import ConfigurationError
from webpubsub.service.protocols.handshake import client_audiences, parse_request
from webpubsub.service.settings import ServiceSettings
from webpubsub.service.settings_file import load_settings

SEND = "/api/hubs/chat/:send"
PUBLIC = {"public_endpoints": ("https://chat.example", "http://gateway.example:8000/wps/")}
TRUSTING = {"trust_forwarded_headers": True}


@pytest.mark.feature("audiences")
@pytest.mark.parametrize(
    ("settings", "headers", "audience", "status"),
    [
        ({}, {}, f"http://{HOST}{SEND}", 202),
        ({}, {}, f"https://chat.example{SEND}", 401),
        (PUBLIC, {}, f"http://{HOST}{SEND}", 202),
        (PUBLIC, {}, f"https://chat.example{SEND}?api-version=2024-12-01", 202),
        (PUBLIC, {}, f"http://gateway.example:8000/wps{SEND}", 202),
        (PUBLIC, {}, f"http://gateway.example:8000{SEND}", 401),
        (PUBLIC, {}, f"http://gateway.example/wps{SEND}", 401),
        ({}, {"x_forwarded_host": "chat.example"}, f"http://chat.example{SEND}", 401),
        (TRUSTING, {"x_forwarded_host": "chat.example"}, f"http://chat.example{SEND}", 202),
        (TRUSTING, {"x_forwarded_host": "chat.example, inner:80"}, f"https://chat.example:443{SEND}", 202),
        (TRUSTING, {"x_forwarded_host": "chat.example, inner:80"}, f"http://inner{SEND}", 401),
        (TRUSTING, {"x_forwarded_host": "chat.example"}, f"http://{HOST}{SEND}", 202),
        (TRUSTING, {}, f"http://{HOST}{SEND}", 202),
    ],
)
async def test_a_token_may_be_for_any_name_of_the_service(
    settings: dict[str, Any], headers: dict[str, Any], audience: str, status: int
) -> None:
    answer = await Api(**settings).call("POST", "/:send", b"", bearer=token(audience), **headers)
    assert answer.status == status


@pytest.mark.parametrize("audience", [f"http://{HOST}/wps{SEND}", f"https://{HOST}/wps{SEND}?x=y"])
async def test_where_it_is_mounted_belongs_to_the_name(audience: str) -> None:
    answer = await Api().call("POST", f"//wps{SEND}", bearer=token(audience), within={"root_path": "/wps"})
    assert answer.status == 202


async def test_elsewhere_than_mounted_nothing_is() -> None:
    answer = await Api().call("POST", f"//other{SEND}", within={"root_path": "/wps"})
    assert answer.status == 404


FORWARDED = {"x_forwarded_host": "chat.example", "x_forwarded_proto": "https, http"}


@pytest.mark.parametrize(
    ("settings", "headers", "base"),
    [
        ({}, {}, f"http://{HOST}"),
        (PUBLIC, {}, "https://chat.example"),
        ({}, FORWARDED, f"http://{HOST}"),
        (TRUSTING, FORWARDED, "https://chat.example"),
        (TRUSTING, {}, f"http://{HOST}"),
    ],
)
async def test_tokens_for_clients_name_the_service_as_clients_know_it(
    settings: dict[str, Any], headers: dict[str, Any], base: str
) -> None:
    answer = await Api(**settings).call("POST", "/:generateToken", **headers)
    found = json.loads(answer.body)["token"]
    audience = f"{base}/client/hubs/chat"
    assert decode_client_token(found, [KEY], expected=[audience], now=NOW).claims["aud"] == [audience]


@pytest.mark.parametrize(
    ("settings", "further"),
    [
        ({}, []),
        (PUBLIC, ["https://chat.example", "http://gateway.example:8000/wps"]),
        (TRUSTING, ["http://outer.example"]),
    ],
)
def test_clients_may_name_it_so_too(settings: dict[str, Any], further: list[str]) -> None:
    request = parse_request(
        upgrade(None, target="/client/hubs/Chat", X_Forwarded_Host="outer.example, inner")
    )
    assert request.hub == CHAT
    known = ServiceSettings(**settings)
    found = client_audiences(
        request, known.public_endpoints, trust_forwarded_headers=known.trust_forwarded_headers
    )
    assert found == [f"{base}/client/hubs/chat" for base in [f"http://{HOST}", *further]]


def test_the_settings_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "service.json"
    path.write_text(
        '{"publicEndpoints": ["https://chat.example/"], "trustForwardedHeaders": true, '
        '"strictApiVersion": true}'
    )
    found = load_settings(path)
    assert found.public_endpoints == ("https://chat.example",)
    assert found.trust_forwarded_headers
    assert found.strict_api_version
    path.write_text('{"publicEndpoints": ["chat.example"]}')
    with pytest.raises(
        ConfigurationError, match=r"service\.json:1:\d+: .*publicEndpoints has 'chat\.example'"
    ):
        load_settings(path)


def test_a_public_endpoint_is_a_url() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^publicEndpoints has 'chat\.example': expected 'http://host"
    ):
        ServiceSettings(public_endpoints=("chat.example",))
    found = msgspec.structs.replace(ServiceSettings(), public_endpoints=("HTTPS://Chat.Example:443/",))
    assert found.public_endpoints == ("https://chat.example",)
