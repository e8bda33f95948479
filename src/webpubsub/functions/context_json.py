"""Upstream contexts as the host's JSON: the value of a webPubSubContext input.

Source: extension spec, section 6.
"""

from __future__ import annotations

from typing import Any

import msgspec

from webpubsub.functions.host_value import HostValue, read
from webpubsub.functions.request_json import RequestJson, lists, request_members, request_of
from webpubsub.model.events import WebPubSubContext, WebPubSubContextResponse


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
