"""How many of Azure's units one core is worth: 2,048-byte messages, 99 of 100 in less than a second.

One unit is what Azure's performance guide (service spec, section F.4) says that one handles. The rate is
looked for in two steps: what is reached when the next message follows the last, and whether a part of that,
sent at a steady rate, comes in time and whole. What a core is worth follows from the CPU time of that steady
rate, so that what other programs take of the core does not count against ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from benchmarks.goals import Goal
from benchmarks.http import http_load, http_request, text_frame, upgrade_request
from benchmarks.load import Load
from benchmarks.ours import HUB, KEY, Checkout, client_target
from benchmarks.parts.echo import in_process, over_http
from benchmarks.realtime import Realtime, service_of_ours, ws_load
from benchmarks.rows import OURS, Contender, Figure, Row, Sample
from benchmarks.servers import Running
from webpubsub.model.access.tokens import rest_token
from webpubsub.model.rest import build_request
from webpubsub.model.send_actions import SendToUserAction

__all__ = ["rows"]

SIZE: Final = 2048
CLIENTS: Final = 1000
P99_US: Final = 1e6
SHARES: Final = (1.1, 0.95, 0.8, 0.65, 0.5)  # of the rate that is reached without a pause
ON_TIME: Final = 0.98
SECONDS: Final = 1.0  # in less, no message could be late
SEARCH_SECONDS: Final = 0.7

Options = Mapping[str, object]

BIG_GROUP: Final[Options] = {"clients": CLIENTS, "in_flight": 8}
SMALL_GROUPS: Final[Options] = {"clients": CLIENTS, "groups": CLIENTS // 10, "publishers": 10, "in_flight": 2}
EVENTS: Final[Options] = {"mode": "calls", "clients": CLIENTS}


def rows(ours: Checkout) -> list[Row]:
    """The rows of Azure's guide: groups, events and REST; each with 1,000 clients."""
    json, http, joined = service_of_ours(ours), over_http(ours), in_process(ours)
    return [
        _row(
            "big-group",
            "a group of 1,000, 3,000 messages out/s",
            _steadily(json, 3000, BIG_GROUP, CLIENTS),
            Goal("", 400, 352),
        ),
        _row(
            "small-groups",
            "groups of 10, 2,000 messages out/s",
            _steadily(json, 2000, SMALL_GROUPS, 10),
            Goal("", 150, 108),
        ),
        _row("echo", "events to a function and back, 500/s", _steadily(http, 500, EVENTS), Goal("", 25, 5)),
        _row("echo-in-process", "the same, --in-process", _steadily(joined, 500, EVENTS), Goal("", 50, 10)),
        _row(
            "rest",
            "REST to a user, 180 messages/s",
            Contender(OURS, ours.service(), _rest),
            Goal("", 100, 23),
        ),
    ]


def _row(name: str, title: str, ours: Contender, goal: Goal) -> Row:
    return Row(
        f"units-{name}", f"Azure units: {title}", "units", (ours,), (goal,), Figure.VALUE, seconds=SECONDS
    )


def _steadily(ours: Realtime, unit: int, options: Options, fan_out: int = 1) -> Contender:
    measure = partial(_steady, ours, unit, fan_out, {"size": SIZE, **options})
    return Contender(ours.name, ours.server, measure)


def _steady(
    ours: Realtime,
    unit: int,
    fan_out: int,
    options: Options,
    running: Running | None,
    seconds: float,
) -> Sample:
    assert running is not None
    reached = ws_load(ours, running, SEARCH_SECONDS, **options)
    for share in SHARES:
        rate = share * reached.operations / reached.seconds
        # Far more than needed in flight: a message late is a late one, and not one that was not sent.
        steady = ws_load(ours, running, seconds, **{**options, "rate": rate / fan_out, "in_flight": 256})
        if steady.p99_us < P99_US and steady.operations / steady.seconds > ON_TIME * rate:
            return _units(steady, unit)
    raise RuntimeError(
        f"units: {rate:,.0f} messages/s are not in time, {reached.operations / reached.seconds:,.0f}/s "
        f"are reached without a pause; the last try:\n{steady}"
    )


def _rest(running: Running | None, seconds: float) -> Sample:
    """REST calls wait for their answer, so the rate that is reached is a steady one."""
    assert running is not None
    host, text = f"localhost:{running.port}", "0123456789abcdef" * (SIZE // 16)
    users = [f"user{number}" for number in range(CLIENTS)]
    upgrades = [upgrade_request(host, client_target(running, user_id=user)) for user in users]
    load = http_load(
        running,
        seconds,
        _sends(host, users, text),
        connections=16,
        upgrades=b"".join(upgrades),
        frame=text_frame(text),
        receivers=1,
        status=202,
    )
    if load.p99_us >= P99_US:
        raise RuntimeError(f"units: a second is too long for REST: {load}")
    return _units(load, 180)


def _sends(host: str, users: list[str], text: str) -> Iterator[bytes]:
    now = time.time()
    for user in users:
        target = build_request(HUB, SendToUserAction(user, text)).target
        token = rest_token(f"http://{host}{target}", KEY, now=now)
        headers = {"Host": host, "Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
        yield http_request("POST", target, headers, text.encode())


def _units(load: Load, unit: int) -> Sample:
    return Sample(
        load.operations / load.server_cpu_seconds / unit,
        load.server_cpu_seconds / load.operations * 1e6,
        load.p50_us,
        load.p99_us,
        load.client_cpu_seconds / load.seconds,
    )
