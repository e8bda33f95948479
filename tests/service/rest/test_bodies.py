"""Bodies of REST requests without the API: length, media type and charset: service spec, A.3."""

from __future__ import annotations

import pytest

from webpubsub.model.errors import RestError
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.rest.bodies import json_form, message_form

TEXT, JSON, BINARY = WebPubSubDataType.TEXT, WebPubSubDataType.JSON, WebPubSubDataType.BINARY


def headers(content_type: str | None, length: int) -> dict[bytes, bytes]:
    found = {b"content-length": str(length).encode()}
    return found if content_type is None else found | {b"content-type": content_type.encode("latin-1")}


@pytest.mark.parametrize(
    ("content_type", "raw", "payload"),
    [
        (None, b"\xff", Payload(b"\xff", BINARY)),
        ("", b"\xff", Payload(b"\xff", BINARY)),
        ("application/octet-stream", b"\xff", Payload(b"\xff", BINARY)),
        # what has no letters has no charset, but what is no charset is still refused
        ("application/octet-stream; charset=utf-16", b"\xff", Payload(b"\xff", BINARY)),
        ("text/plain", "é".encode(), Payload("é".encode(), TEXT)),
        (" TEXT/Plain ; Charset = x", b"", None),
        ("\tTEXT/Plain ; Charset=ISO-8859-1 ; a=b;", b"\xe9", Payload("é".encode(), TEXT)),
        ('text/plain; charset="utf-16le"', "é".encode("utf-16-le"), Payload("é".encode(), TEXT)),
        ('text/plain; x="a;charset=latin1"', "é".encode(), Payload("é".encode(), TEXT)),
        ("text/plain; charset=utf-16be", "é".encode("utf-16-be"), Payload("é".encode(), TEXT)),
        ("text/plain; charset=utf-32", "é".encode("utf-32"), Payload("é".encode(), TEXT)),
        ("text/plain; charset=us-ascii", b"hi", Payload(b"hi", TEXT)),
        ("application/json; charset=utf-16", '{"é":1}'.encode("utf-16"), Payload('{"é":1}'.encode(), JSON)),
        ("application/octet-stream; charset=nonsense", b"", None),
        ("text/plain; charset", b"", None),
        ("text/plain; charset=a b", b"", None),
        ("text/plain charset=utf-8", b"", None),
        ("text/plain, text/plain", b"", None),
        ('text/plain; charset="utf-8', b"", None),
        ("text/plain; charset=rot13", b"hi", None),
        ("text/plain; charset=idna", b"hi", None),
        ("text/plain; charset=unicode_escape", b"hi", None),
        ("text/*", b"", None),
        ("text", b"", None),
        (";charset=utf-8", b"", None),
        ("application/x-protobuf", b"", None),
        ("\xe9/\xe9", b"", None),
    ],
)
def test_the_media_type_says_how_a_message_is_read(
    content_type: str | None, raw: bytes, payload: Payload | None
) -> None:
    asked = headers(content_type, len(raw))
    if payload is not None:
        assert message_form(asked).payload(raw) == payload
        return
    with pytest.raises(RestError) as refused:
        message_form(asked).payload(raw)
    assert (refused.value.status, refused.value.code) == (415, "Error.UnsupportedMediaType")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON;charset=utf-8"])
def test_an_object_is_json(content_type: str) -> None:
    assert json_form(headers(content_type, 2)).payload(b"{}") == Payload(b"{}", JSON)


def test_a_length_that_is_none_is_refused_even_where_none_is_needed() -> None:
    asked = {b"content-length": b"junk"}
    with pytest.raises(RestError) as refused:
        message_form(asked, require_length=False)
    assert (refused.value.status, refused.value.target) == (400, "Content-Length")
