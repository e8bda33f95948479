"""The fuzzer itself, and two seconds of it: ``make fuzz`` is the whole."""

from __future__ import annotations

from random import Random

import pytest

from fuzz import __main__ as fuzz
from fuzz import chunked_bodies, http_requests, web_socket_frames
from fuzz.mutation import cut_anywhere
from kit.http_wire import Seen
from kit.service_peers import TEXT, client_frame


@pytest.mark.parametrize("name", fuzz.TARGETS)
async def test_nothing_is_found_in_a_moment(name: str) -> None:
    executions, find = await fuzz.run(name, seed=1, seconds=0.7)
    assert find is None
    assert executions > 10


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_the_same_seed_makes_the_same_input(name: str) -> None:
    make = fuzz.TARGETS[name].make
    assert [make(Random(f"{seed}")) for seed in range(50)] == [make(Random(f"{seed}")) for seed in range(50)]
    assert len({make(Random(f"{seed}")) for seed in range(50)}) > 25


def test_whatever_is_cut_is_whole() -> None:
    for seed in range(200):
        rng = Random(seed)
        data = rng.randbytes(rng.randint(0, 40))
        assert b"".join(cut_anywhere(rng, data)) == data


async def test_a_find_ends_its_target_and_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(data: bytes, _rng: Random) -> None:
        assert data != b"\x00bad", "there it is"

    def make(rng: Random) -> bytes:
        return b"\x00bad" if rng.random() < 0.1 else b"good"

    monkeypatch.setitem(fuzz.TARGETS, "chunks", fuzz.Target("chunks", make, check))
    executions, find = await fuzz.run("chunks", seed=1, seconds=60)
    assert find is not None
    assert executions == find.number + 1
    again = await fuzz.run("chunks", seed=1, seconds=60)
    assert again == (executions, find)


def test_a_find_is_printed_as_a_literal_and_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def check(_data: bytes, _rng: Random) -> None:
        raise ZeroDivisionError("there it is")

    monkeypatch.setitem(fuzz.TARGETS, "chunks", fuzz.Target("chunks", lambda _rng: b"\x00bad", check))
    assert fuzz.main(["--seed", "1", "--seconds", "1", "chunks"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("chunks: 1 inputs of seed 1, ")
    assert "chunks: FOUND with input 0:\nb'\\x00bad'\n" in shown
    assert "ZeroDivisionError: there it is" in shown


def test_the_help_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fuzz.main(["--help"])
    shown = capsys.readouterr().out
    for name, target in fuzz.TARGETS.items():
        assert f"  {name:10}{target.about}" in shown
    with pytest.raises(SystemExit):
        fuzz.main(["nothing"])
    assert "no target 'nothing': expected requests, chunks, frames" in capsys.readouterr().err


# --- what the targets compare with can tell a difference ------------------------------------------------


def test_other_parsers_find_what_is_there() -> None:
    get = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
    post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
    host = (b"host", b"h")
    found = [("GET", b"/a", [host], b""), ("POST", b"/", [host, (b"content-length", b"2")], b"hi")]
    assert http_requests.by_llhttp(get + post) == (found, "")
    assert http_requests.by_h11(get + b"\r\n" + post) == (found, "")
    offer = post.replace(b"Host", b"Connection: upgrade\r\nUpgrade: h2c\r\nHost")
    assert http_requests.by_llhttp(get + offer + get) == (found[:1], http_requests.UPGRADE)
    assert [request[3] for request in http_requests.by_h11(get + offer + get).requests] == [b"", b"hi", b""]
    assert http_requests.by_h11(b"GET / HTTP/1.1\r\n\r\n").end == "Missing mandatory Host: header"


async def test_a_request_that_others_do_not_find_is_told() -> None:
    seen: list[Seen] = [("GET", b"/", [], b"")]
    for name in ("llhttp", "h11"):
        with pytest.raises(AssertionError, match=f"{name} finds no request"):
            http_requests._compare(name, seen, http_requests.Found([], "no"))
        with pytest.raises(AssertionError, match=f"{name} finds another request"):
            http_requests._compare(name, seen, http_requests.Found([("GET", b"/", [], b"x")], ""))


def test_other_readers_read_what_is_there() -> None:
    data = b"2\r\nhi\r\n0\r\n\r\nrest"
    assert chunked_bodies.by_h11(data) == chunked_bodies.read([data]) == (b"hi", b"rest", "")
    frame = client_frame(TEXT, b"hi")
    assert web_socket_frames.by_websockets(frame) == ([(1, b"hi")], None)
    assert web_socket_frames.parse([frame[:3], frame[3:]], in_a_hurry=True) == ([(1, b"hi")], None)
