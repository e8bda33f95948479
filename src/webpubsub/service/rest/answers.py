"""Answers of the REST API, each with the header that all of them have.

Source: service spec, sections A.1 and A.3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from webpubsub.model.errors import PeerError, RestError, TokenError
from webpubsub.model.http import HttpAnswer, RawHeaders
from webpubsub.model.rest import API_VERSIONS

Send = Callable[[dict[str, Any]], Awaitable[None]]

_SUPPORTED: Final = (b"api-supported-versions", ", ".join(API_VERSIONS).encode())
_EMPTY: Final = {status: HttpAnswer(status, (_SUPPORTED,)) for status in (200, 202, 204)}
_JSON: Final = (b"content-type", b"application/json; charset=utf-8")


def empty_answer(status: int) -> HttpAnswer:
    """Return the answer of a request that was done."""
    return _EMPTY[status]


def json_answer(status: int, value: Any, headers: RawHeaders = ()) -> HttpAnswer:
    """Return an answer with a JSON body."""
    return HttpAnswer(status, (_SUPPORTED, _JSON, *headers), msgspec.json.encode(value))


def error_answer(error: PeerError, headers: RawHeaders = ()) -> HttpAnswer:
    """Return the answer of an error; a missing or wrong token gets no explanation."""
    if isinstance(error, TokenError):
        return HttpAnswer(401, (_SUPPORTED, (b"www-authenticate", b"Bearer"), *headers))
    code = error.code if isinstance(error, RestError) else "Error.BadRequest"
    target = error.target if isinstance(error, RestError) else "Request"
    body = {"code": code, "message": str(error), "target": target}
    return json_answer(error.status, body, ((b"x-ms-error-code", code.encode()), *headers))


async def send_answer(send: Send, answer: HttpAnswer, *, with_body: bool) -> None:
    """Send an answer; to a HEAD request without its body."""
    headers = [*answer.headers]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})
