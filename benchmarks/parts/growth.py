"""What a message, or an event, costs as there is more of something. Not measured by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from benchmarks.curves import Curve
from benchmarks.http import http_load
from benchmarks.machine import allow_open_files
from benchmarks.ours import WEBHOOK, Checkout
from benchmarks.parts.ready import FUNCTION
from benchmarks.parts.webhook import APP, CLIENTS, CONNECTIONS, event
from benchmarks.realtime import Realtime, service_of_ours, ws_load
from benchmarks.rows import Sample
from benchmarks.servers import Running, Server

__all__ = ["curves"]

DELIVERED: Final = "CPU us for a message delivered"
SPARE_FILES: Final = 500  # of a process that has a connection for each of its other files

Options = Callable[[int], Mapping[str, object]]


def curves(ours: Checkout) -> list[Curve]:
    """Connections, group size, number of groups, message size, number of functions."""
    most = min(20_000, allow_open_files() - SPARE_FILES)
    return [
        _of_messages(
            ours,
            "connections",
            "More clients connected, that are in no group: a group of 100 gets messages",
            "others connected",
            (0, 1_000, 5_000, 10_000, most),
            lambda others: {"clients": 100, "others": others},
            rounds=1,  # most of the time goes into connecting
        ),
        _of_messages(
            ours,
            "group-size",
            "More members of the group",
            "members",
            (1, 10, 100, 1_000, 5_000),
            lambda members: {"clients": members},
        ),
        _of_messages(
            ours,
            "groups",
            "More groups, each of 10 members and with messages of its own",
            "groups",
            (1, 10, 100, 500),
            lambda groups: {"clients": 10 * groups, "groups": groups, "publishers": min(groups, 10)},
            in_flight=2,
        ),
        _of_messages(
            ours,
            "message-size",
            "Larger messages to a group of 20",
            "bytes of text",
            (64, 1_024, 16_384, 262_144, 1_000_000),
            lambda size: {"clients": 20, "size": size},
            in_flight=2,
        ),
        Curve(
            "growth-functions",
            "More functions in the app: events to one of them",
            "functions",
            "CPU us for an event",
            (1, 20, 200),
            partial(_app_of, ours),
            _measure_events,
        ),
    ]


def _of_messages(
    ours: Checkout,
    name: str,
    title: str,
    x: str,
    at: tuple[int, ...],
    options: Options,
    *,
    in_flight: int = 8,
    rounds: int = 2,
) -> Curve:
    side = service_of_ours(ours)
    measure = partial(_measure_messages, side, options, in_flight)
    return Curve(f"growth-{name}", title, x, DELIVERED, at, lambda _: side.server, measure, rounds=rounds)


def _measure_messages(
    side: Realtime, options: Options, in_flight: int, x: int, running: Running, seconds: float
) -> Sample:
    return ws_load(side, running, seconds, in_flight=in_flight, **options(x)).sample()


def _app_of(ours: Checkout, functions: int) -> Server:
    others = "".join(FUNCTION.format(number=number) for number in range(1, functions))
    return ours.start(APP.format(definition="async def") + others)


def _measure_events(_: int, running: Running, seconds: float) -> Sample:
    requests = [event(WEBHOOK, number) for number in range(CLIENTS)]
    return http_load(running, seconds, requests, connections=CONNECTIONS, status=200, body="ack").sample()
