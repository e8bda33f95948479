"""Messages that get a sequence id for each receiver."""

from __future__ import annotations

from kit.service_peers import RELIABLE, group, server_frames
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.service.protocols.messages import Message
from webpubsub.service.protocols.numbered import Burst, Numbered


def test_what_stands_before_the_id_is_made_once_for_each_size() -> None:
    made: list[int] = []

    def lead(size: int) -> bytes:
        made.append(size)
        return b"[%d]" % size

    message = Numbered(lead, lambda sequence_id: b"%d" % sequence_id)
    made.clear()
    frames = [message.frame(sequence_id) for sequence_id in (1, 2, 9, 10, 11, 99, 100, 3)]
    assert frames == [b"[1]1", b"[1]2", b"[1]9", b"[2]10", b"[2]11", b"[2]99", b"[3]100", b"[1]3"]
    assert made == [1, 2, 3]


def test_its_size_is_that_of_its_largest_frame() -> None:
    message = Numbered(lambda size: b"[%d]" % size, lambda sequence_id: b"%d" % sequence_id)
    assert message.size == len(b"[20]18446744073709551615")


def test_frame_lengths_follow_the_width_of_the_id() -> None:
    # With one digit the frame's body has 125 bytes, the last that fit the short header.
    body = '{"type":"message","from":"group","group":"g","dataType":"text","data":"","sequenceId":1}'
    text = "x" * (125 - len(body))
    found = RELIABLE.message(Message(Payload(text.encode(), WebPubSubDataType.TEXT), group("g")))
    assert isinstance(found, Numbered)
    for sequence_id, header in ((9, b"\x81\x7d"), (10, b"\x81\x7e\x00\x7e"), (100, b"\x81\x7e\x00\x7f")):
        frame = found.frame(sequence_id)
        assert frame.startswith(header + b'{"type"')
        [(_, read)] = server_frames(frame)
        assert read.endswith(f'","sequenceId":{sequence_id}}}'.encode())


def test_a_burst_has_the_frames_of_a_turn_for_each_first_id() -> None:
    message = Numbered(lambda _size: b"m=", lambda sequence_id: b"%d;" % sequence_id)
    burst = Burst([message, b"ack;", message])
    assert (burst.messages, burst.size) == ([message, message], 2 * message.size)
    assert [burst.bytes_after(last_id) for last_id in (0, 0, 8, 0)] == [
        b"m=1;ack;m=2;",
        b"m=1;ack;m=2;",
        b"m=9;ack;m=10;",
        b"m=1;ack;m=2;",
    ]
    assert burst.bytes_after(0) is burst.bytes_after(0), "shared by those who have the same ids"


def test_a_burst_stays_what_it_was() -> None:
    frames = [b"a"]
    burst = Burst(frames)
    frames.clear()
    assert burst.bytes_after(0) == b"a"
