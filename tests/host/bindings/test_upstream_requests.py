"""Requests of the service to an HTTP endpoint; every outcome is in the tests of section 6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.host.bindings.web_pubsub_context import read_upstream, refused
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.signature import RequestValidator, sign
from webpubsub.model.events import PreflightRequest, UserEventRequest

ANYBODY = RequestValidator([])
KNOWN = RequestValidator([ConnectionString("https://a.example", "key")])
EVENT = [
    (b"content-type", b"text/plain"),
    (b"webhook-request-origin", b"a.example"),
    (b"ce-type", b"azure.webpubsub.user.message"),
    (b"ce-eventname", b"message"),
    (b"ce-hub", b"chat"),
    (b"ce-connectionid", b"c1"),
    (b"ce-signature", sign("key", "c1").encode()),
]


def test_an_event() -> None:
    context = read_upstream("POST", EVENT, b"hello", KNOWN)
    assert isinstance(context.request, UserEventRequest)
    assert context.request.data == "hello"
    assert context.request.connection_context.headers["ce-hub"] == ["chat"]
    assert (context.has_error, context.is_preflight, context.response.status) == (False, False, 200)


@pytest.mark.parametrize(("validator", "is_valid"), [(ANYBODY, True), (KNOWN, False)])
def test_a_question(validator: RequestValidator, is_valid: bool) -> None:
    context = read_upstream("OPTIONS", [(b"webhook-request-origin", b"b.example")], b"", validator)
    assert context.request == PreflightRequest(is_valid)
    assert (context.is_preflight, context.response.status) == (True, 200 if is_valid else 400)


def test_a_refusal_says_why_to_both_sides() -> None:
    context = refused(401, "why")
    assert (context.has_error, context.error_message, context.request) == (True, "why", None)
    assert (context.response.status, context.response.body) == (401, "why")


NAMES = st.sampled_from([*(name for name, _ in EVENT), b"ce-connectionstate", b"ce-subprotocol", b"x"])


@given(
    st.sampled_from(["GET", "POST", "OPTIONS"]),
    st.lists(st.tuples(NAMES, st.binary() | st.sampled_from([value for _, value in EVENT]))),
    st.binary(),
)
def test_any_request_has_a_context(method: str, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    context = read_upstream(method, headers, body, KNOWN)
    assert context.response.status in {200, 400, 401}
    assert context.has_error == (context.error_message is not None)
