"""Whatever an event handler answers, the service has an answer to its client or a documented refusal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.event_values import connect, connected, disconnected, user
from kit.hostile_values import TEXTS, json_bytes, json_values, states
from webpubsub.model.cloudevents import build_answer, parse_answer
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import EventRequest

MEMBERS = ["userId", "groups", "subprotocol", "roles", "mqtt", "userProperties", "name", "value"]
TYPES = ["text/plain", "application/json; charset=utf-8", "application/octet-stream", "application/xml", ""]


@pytest.mark.parametrize("request_", [user(), user(a=1), connect(), connected(), disconnected()])
@given(
    status=st.one_of(st.sampled_from([200, 204, 299, 300, 401, 500]), st.integers(100, 999)),
    content_type=st.one_of(st.none(), st.sampled_from(TYPES), TEXTS),
    state=st.one_of(st.none(), states().map(lambda raw: raw.decode("latin-1"))),
    body=json_bytes(json_values(MEMBERS, "alice", "g")),
)
@settings(max_examples=60, deadline=None)
def test_every_answer_is_taken_or_refused(
    request_: EventRequest, status: int, content_type: str | None, state: str | None, body: bytes
) -> None:
    if 200 <= status < 300:
        try:
            answer = parse_answer(request_, status, content_type, state, body)
        except EventRefused as refused:
            found = refused.status
        else:
            found = build_answer(answer).status
        assert found in {200, 500}
    else:
        with pytest.raises(EventRefused) as raised:
            parse_answer(request_, status, content_type, state, body)
        assert raised.value.status == status
