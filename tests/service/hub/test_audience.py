"""Sets of connections, sorted by codec."""

from __future__ import annotations

from kit.service_peers import JSON, connection, raw_connection
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.hub import Audience
from webpubsub.service.protocols import RAW, Codec


def of(*members: Connection) -> Audience:
    audience = Audience()
    for member in members:
        audience.add(member)
    return audience


def sorted_out(audience: Audience, *excluded: str) -> dict[Codec, list[str]]:
    return {codec: [member.id for member in members] for codec, members in audience.receivers(excluded)}


def test_members_are_kept_by_codec() -> None:
    audience = of(connection("j1"), raw_connection("r1"), connection("j2"), connection("j1"))
    assert sorted_out(audience) == {JSON: ["j1", "j2"], RAW: ["r1"]}
    assert len(audience) == 3
    assert {member.id for member in audience} == {"j1", "j2", "r1"}
    assert audience


def test_the_excluded_are_left_out_of_each_codec() -> None:
    audience = of(connection("j1"), raw_connection("r1"), connection("j2"))
    assert sorted_out(audience, "j1", "nobody") == {JSON: ["j2"], RAW: ["r1"]}
    assert sorted_out(audience, "r1") == {JSON: ["j1", "j2"], RAW: []}


def test_the_last_one_to_leave_takes_the_codec_along() -> None:
    client = connection("j1")
    audience = of(client)
    audience.discard(raw_connection("r1"))
    audience.discard(connection("j2"))
    assert len(audience) == 1
    audience.discard(client)
    audience.discard(client)
    assert audience.by_codec == {}
    assert not audience
    assert list(audience) == []
