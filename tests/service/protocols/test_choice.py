"""The choice of a subprotocol: client spec, section 1.4."""

from __future__ import annotations

import pytest

from kit.service_peers import JSON, JSON_V1
from webpubsub.model.errors import InvalidName
from webpubsub.service.protocols import RAW, SUBPROTOCOLS, Codec, choose_subprotocol

JSON_RELIABLE = "json.reliable.webpubsub.azure.v1"
PROTOBUF_V1 = "protobuf.webpubsub.azure.v1"
PROTOBUF_RELIABLE = "protobuf.reliable.webpubsub.azure.v1"


@pytest.mark.feature("custom subprotocols")
@pytest.mark.parametrize(
    ("offered", "chosen", "name", "codec"),
    [
        ([], None, None, RAW),
        ([JSON_V1], None, JSON_V1, JSON),
        (["JSON.WebPubSub.Azure.V1"], None, "JSON.WebPubSub.Azure.V1", JSON),  # the client's spelling
        (["custom", JSON_V1], None, JSON_V1, JSON),
        (["custom"], None, None, RAW),
        (["mqtt"], None, None, RAW),  # has a path of its own
        ([JSON_RELIABLE, JSON_V1], None, JSON_RELIABLE, SUBPROTOCOLS[JSON_RELIABLE]),
        ([PROTOBUF_V1, JSON_V1], None, PROTOBUF_V1, SUBPROTOCOLS[PROTOBUF_V1]),
        ([PROTOBUF_RELIABLE], None, PROTOBUF_RELIABLE, SUBPROTOCOLS[PROTOBUF_RELIABLE]),
        ([JSON_V1], JSON_RELIABLE, JSON_RELIABLE, SUBPROTOCOLS[JSON_RELIABLE]),  # switched by the handler
        ([JSON_V1, PROTOBUF_V1], PROTOBUF_V1, PROTOBUF_V1, SUBPROTOCOLS[PROTOBUF_V1]),
        (["custom"], "custom", "custom", RAW),
        (["Custom"], "custom", "Custom", RAW),
        (["custom", JSON_V1], "custom", "custom", RAW),
        (["custom", "JSON.webpubsub.azure.v1"], JSON_V1, "JSON.webpubsub.azure.v1", JSON),
        ([JSON_V1], "", JSON_V1, JSON),  # an empty choice is none
        ([], "other", "other", RAW),  # the client will refuse it
    ],
)
def test_the_first_known_one_or_the_handlers_choice(
    offered: list[str], chosen: str | None, name: str | None, codec: Codec
) -> None:
    assert choose_subprotocol(offered, chosen) == (name, codec)


@pytest.mark.parametrize("chosen", ["a b", "a\r\nSet-Cookie: x", "a,b", "é", " "])
def test_a_choice_that_cannot_stand_in_a_header_is_refused(chosen: str) -> None:
    with pytest.raises(InvalidName, match="HTTP token"):
        choose_subprotocol([chosen], chosen)
