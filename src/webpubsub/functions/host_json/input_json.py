"""The values of input bindings as the host's JSON: client connections and upstream contexts.

Source: extension spec, sections 6 and 7.
"""

from __future__ import annotations

from typing import Any

import msgspec

from webpubsub.functions.host_json.data_json import HostValue, read
from webpubsub.functions.host_json.request_json import RequestJson, lists, request_members, request_of
from webpubsub.model.events import WebPubSubConnection, WebPubSubContext, WebPubSubContextResponse


class _AnswerJson(msgspec.Struct):
    status: int
    body: str | None = None
    headers: dict[str, list[str]] | None = None


class _ContextJson(msgspec.Struct, rename="camel"):
    response: _AnswerJson
    request: RequestJson | None = None
    error_message: str | None = None
    has_error: bool = False
    is_preflight: bool = False


def encode_context(context: WebPubSubContext) -> str:
    """Return what an untyped function gets for a webPubSubContext input."""
    request = context.request
    members: dict[str, Any] = {} if context.has_error else {"request": request and request_members(request)}
    members |= {
        "response": {
            "body": context.response.body,
            "status": context.response.status,
            "headers": lists(context.response.headers),
        },
        "errorMessage": context.error_message,
        "hasError": context.has_error,
        "isPreflight": context.is_preflight,
    }
    return msgspec.json.encode(members).decode()


def decode_context(value: HostValue) -> WebPubSubContext:
    """Read the value of a webPubSubContext input.

    Raises:
        PeerError: It is no upstream context.
    """
    if isinstance(value, WebPubSubContext):
        return value
    found = read("webPubSubContext", value, _ContextJson)
    answer = found.response
    return WebPubSubContext(
        request=None if found.request is None else request_of(found.request),
        response=WebPubSubContextResponse(answer.status, answer.body, answer.headers or {}),
        error_message=found.error_message,
        has_error=found.has_error,
        is_preflight=found.is_preflight,
    )


class _ConnectionJson(msgspec.Struct, rename="camel"):
    base_url: str
    url: str
    access_token: str


def encode_connection(connection: WebPubSubConnection) -> str:
    """Return what an untyped function gets for a webPubSubConnection input."""
    members = {
        "baseUrl": connection.base_url,
        "url": connection.url,
        "accessToken": connection.access_token,
    }
    return msgspec.json.encode(members).decode()


def decode_connection(value: HostValue) -> WebPubSubConnection:
    """Read the value of a webPubSubConnection input.

    Raises:
        PeerError: It is no client connection.
    """
    if isinstance(value, WebPubSubConnection):
        return value
    found = read("webPubSubConnection", value, _ConnectionJson)
    return WebPubSubConnection(found.base_url, found.url, found.access_token)
