"""Cross-origin requests."""

from __future__ import annotations

from webpubsub.host.http.policies import Cors
from webpubsub.model.http import HttpAnswer

ORIGIN = (b"origin", b"http://a.example")
PREFLIGHT = [
    ORIGIN,
    (b"access-control-request-method", b"PUT"),
    (b"access-control-request-headers", b"x-one, x-two"),
]
LISTED = Cors(("http://a.example", "http://b.example"), credentials=False)


def test_a_listed_origin_may_do_everything() -> None:
    assert LISTED.preflight("OPTIONS", PREFLIGHT) == HttpAnswer(
        204,
        [
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", b"http://a.example"),
            (b"access-control-allow-methods", b"PUT"),
            (b"access-control-allow-headers", b"x-one, x-two"),
        ],
    )
    assert LISTED.headers([ORIGIN]) == [
        (b"vary", b"Origin"),
        (b"access-control-allow-origin", b"http://a.example"),
    ]


def test_another_origin_may_do_nothing() -> None:
    other = [(b"origin", b"http://c.example"), (b"access-control-request-method", b"PUT")]
    assert LISTED.preflight("OPTIONS", other) == HttpAnswer(204, [(b"vary", b"Origin")])
    assert LISTED.headers(other) == [(b"vary", b"Origin")]


def test_credentials_are_allowed_only_when_set() -> None:
    cors = Cors(("http://A.example",), credentials=True)
    assert cors.headers([ORIGIN]) == [
        (b"vary", b"Origin"),
        (b"access-control-allow-origin", b"http://a.example"),
        (b"access-control-allow-credentials", b"true"),
    ]


def test_any_origin_may_be_allowed() -> None:
    cors = Cors(("*",), credentials=False)
    assert cors.headers([ORIGIN]) == [(b"access-control-allow-origin", b"*")]
    assert cors.headers([]) == []


def test_requests_that_are_no_preflight_pass() -> None:
    assert LISTED.preflight("GET", PREFLIGHT) is None
    assert LISTED.preflight("OPTIONS", [ORIGIN]) is None
    assert LISTED.preflight("OPTIONS", PREFLIGHT[1:]) is None


def test_a_preflight_without_headers_asks_for_none() -> None:
    answer = LISTED.preflight("OPTIONS", PREFLIGHT[:2])
    assert answer is not None
    assert answer.headers[-1] == (b"access-control-allow-methods", b"PUT")
