"""The choice of a subprotocol: client spec, section 1.4."""

from __future__ import annotations

import pytest

from service_peers import JSON, JSON_V1
from webpubsub.model.errors import InvalidName
from webpubsub.service.protocols import RAW, Codec, choose_subprotocol


@pytest.mark.parametrize(
    ("offered", "chosen", "name", "codec"),
    [
        ([], None, None, RAW),
        ([JSON_V1], None, JSON_V1, JSON),
        (["JSON.WebPubSub.Azure.V1"], None, "JSON.WebPubSub.Azure.V1", JSON),  # the client's spelling
        (["custom", JSON_V1], None, JSON_V1, JSON),
        (["custom"], None, None, RAW),
        (["json.reliable.webpubsub.azure.v1"], None, None, RAW),
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
