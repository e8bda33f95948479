"""Signatures and origins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.signature import RequestValidator, sign, signature_header, split_list
from webpubsub.model.errors import ConfigurationError

# Extension spec, section 3.5: key, connection id, signature.
KEY, ID = "7aab239577fd4f24bc919802fb629f5f", "0f9c97a2f0bf4706afe87a14e0797b11"
SIGNATURE = "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561"
CCC = "sha256=5af79c68ab9d1ca0ba30fb07b49043297197c057eac2ceeae544b51fcea112e4"
VECTORS = [
    (KEY, ID, SIGNATURE),
    ("ccc", ID, CCC),
    (
        "test-access-key",
        "connectionId",
        "sha256=e6f4c4743d52abcab6a0c47c66eab32d72b5f81ea3b3389a66fdae400fe7b067",
    ),
    ("test-access-key", "cid", "sha256=490e9b5be17f975a20ed5c3f36a0e8704fc74b742eea283e65229086ee253dec"),
    (
        "dGVzdC1kZWZhdWx0LWtleQ==",
        "test-conn-id-001",
        "sha256=35129c62a17adb265029b41514dfdfd65da6dba1c1be97e6e48813a0aa8b7930",
    ),
    (
        "dGVzdC1jdXN0b20ta2V5",
        "test-conn-id-002",
        "sha256=b4827b7a6f9f206066c1d5eec88abe02bdf17cb4f5cc27d0da668dad6085ce35",
    ),
]
HOST = "a.webpubsub.azure.com"
OTHER = "b.webpubsub.azure.com"


@pytest.fixture
def validator() -> RequestValidator:
    return RequestValidator([ConnectionString(f"https://{HOST}", KEY), ConnectionString(f"https://{OTHER}")])


@pytest.mark.parametrize(("key", "connection_id", "signature"), VECTORS)
def test_the_signature_is_an_hmac_of_the_connection_id(key: str, connection_id: str, signature: str) -> None:
    assert sign(key, connection_id) == signature


def test_the_header_has_one_signature_a_key_the_primary_first() -> None:
    assert signature_header([KEY, "ccc"], ID) == f"{SIGNATURE},{CCC}"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [("", []), (" , ,", []), ("a", ["a"]), ("a,b", ["a", "b"]), (" a b , c", ["a", "b", "c"])],
)
def test_lists_are_split_at_commas_and_blanks(text: str, pieces: list[str]) -> None:
    assert split_list(text) == pieces


@pytest.mark.parametrize(
    ("origin", "signature", "accepted"),
    [
        (HOST, SIGNATURE, True),
        (HOST.upper(), SIGNATURE.upper(), True),
        (HOST, f"{CCC},{SIGNATURE}", True),
        (HOST, f"{CCC} {SIGNATURE}", True),
        (f"unknown.host, {HOST}", SIGNATURE, True),
        (HOST, CCC, False),
        (HOST, SIGNATURE.removeprefix("sha256="), False),
        (HOST, SIGNATURE[:-1], False),
        (HOST, "", False),
        (HOST, None, False),
        (HOST, "é", False),
        ("unknown.host", SIGNATURE, False),
        ("", SIGNATURE, False),
        (None, SIGNATURE, False),
        # A connection without a key has nothing to check with.
        (OTHER, None, True),
        (OTHER, CCC, True),
        # The first known origin decides; later ones are not tried.
        (f"{HOST},{OTHER}", CCC, False),
        (f"{OTHER},{HOST}", CCC, True),
    ],
)
def test_a_request_is_accepted_with_the_signature_of_its_origin(
    validator: RequestValidator, origin: str | None, signature: str | None, accepted: bool
) -> None:
    assert validator.accepts_signature(origin, signature, ID) is accepted


def test_what_was_accepted_once_does_not_let_anything_else_in(validator: RequestValidator) -> None:
    assert validator.accepts_signature(HOST, SIGNATURE, ID)
    assert validator.accepts_signature(HOST, SIGNATURE, ID)
    assert validator.accepts_signature(HOST, f"{SIGNATURE},{CCC}", ID)
    assert not validator.accepts_signature(HOST, CCC, ID)
    assert not validator.accepts_signature(HOST, None, ID)
    assert not validator.accepts_signature("unknown.host", SIGNATURE, ID)
    assert not validator.accepts_signature(HOST, SIGNATURE, "another connection")


def test_a_forgotten_connection_is_checked_again(validator: RequestValidator) -> None:
    assert validator.accepts_signature(HOST, SIGNATURE, ID)
    validator.forget(ID)
    validator.forget("never seen")
    assert validator.accepts_signature(HOST, SIGNATURE, ID)
    assert not validator.accepts_signature(HOST, CCC, ID)


def test_memory_is_bounded(validator: RequestValidator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webpubsub.model.access.signature._REMEMBERED", 2)
    for name in ("one", "two", "three"):
        assert validator.accepts_signature(HOST, sign(KEY, name), name)
    assert list(validator._verified) == ["two", "three"]


@pytest.mark.parametrize(
    ("origins", "accepted"),
    [
        ([HOST], True),
        (["A.WebPubSub.Azure.com"], True),
        (["unknown.host", OTHER], True),
        (["unknown.host"], False),
        ([f"https://{HOST}"], False),
        ([], False),
    ],
)
def test_an_origin_is_a_configured_host(
    validator: RequestValidator, origins: list[str], accepted: bool
) -> None:
    assert validator.accepts_origin(origins) is accepted
    assert not validator.accepts_everything


def test_without_a_connection_everything_is_accepted() -> None:
    validator = RequestValidator([])
    assert validator.accepts_everything
    assert validator.accepts_origin(["anything"])
    assert validator.accepts_origin([])
    assert validator.accepts_signature(None, None, ID)


def test_two_connections_may_not_share_a_host() -> None:
    with pytest.raises(ConfigurationError, match="localhost"):
        RequestValidator(
            [ConnectionString("http://localhost:1", "a"), ConnectionString("http://localhost:2")]
        )


@given(st.text(), st.text(), st.text())
def test_arbitrary_headers_are_never_accepted(origin: str, signature: str, connection_id: str) -> None:
    validator = RequestValidator([ConnectionString(f"https://{HOST}", KEY)])
    assert not validator.accepts_signature(f"{HOST},{origin}", signature, connection_id)
