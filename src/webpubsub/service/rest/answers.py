"""Answers of the REST API, each with the header that all of them have.

Source: service spec, sections A.1 and A.3.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from webpubsub.model.errors import PeerError, RestError, TokenError
from webpubsub.model.http import HttpAnswer, RawHeaders
from webpubsub.model.rest import API_VERSIONS

_SUPPORTED: Final = (b"api-supported-versions", ", ".join(API_VERSIONS).encode())
EMPTY: Final = {status: HttpAnswer(status, (_SUPPORTED,)) for status in (200, 202, 204)}
"""Answers of requests that were done."""
_JSON: Final = (b"content-type", b"application/json; charset=utf-8")


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
