"""Messages sent over REST to WebSocket clients: an operation is a message that has come to all it is for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from benchmarks import others
from benchmarks.goals import Goal
from benchmarks.http import http_load, http_request, status_of, text_frame, upgrade_request
from benchmarks.ours import HUB, KEY, Checkout, client_target
from benchmarks.rows import OURS, Contender, Row, Sample
from benchmarks.servers import Running, Server
from webpubsub.model.access.tokens import rest_token
from webpubsub.model.rest import build_request
from webpubsub.model.send_actions import SendAction, SendToAllAction, SendToGroupAction, SendToUserAction

__all__ = ["rows"]

TEXT: Final = "0123456789" * 10
CLIENTS: Final = 100
GROUP_SIZE: Final = 10
CONNECTIONS: Final = 16
FRESH_TOKENS: Final = 4000  # more than the service remembers
TEXT_TYPE: Final = {"Content-Type": "text/plain"}
ACCEPTED: Final[dict[str, object]] = {"status": 202, "body": ""}
API_KEY: Final = {**TEXT_TYPE, "Authorization": f"Bearer {KEY}"}  # what peers check
NOTE: Final = "Ours checks a signed token of each request; peers check one API key, nchan nothing."
NCHAN: Final = "nginx nchan"


class Audience(msgspec.Struct, frozen=True):
    """Whom messages go to; the requests take turns with its places, such as all users.

    Attributes:
        receivers: How many clients get each message.
        place: The place that the n-th client has.
        action: What is sent to our service for a place.
        path: Where it is sent at peers in express and FastAPI; empty: they have nothing like it.
    """

    receivers: int
    place: Callable[[int], str]
    action: Callable[[str], SendAction]
    path: str = ""

    @property
    def places(self) -> list[str]:
        """All places, each once."""
        return list(dict.fromkeys(map(self.place, range(CLIENTS))))


class Api(msgspec.Struct, frozen=True):
    """How one contender is spoken to.

    Attributes:
        send: Requests that send a message to an audience.
        target: Where the n-th client connects.
        answer: What the answers must be, as options of the load client.
        is_open: Whether anybody may send.
    """

    send: Callable[[Running, Audience], Sequence[bytes]]
    target: Callable[[Running, int], str]
    answer: dict[str, object]
    is_open: bool = False


def rows(ours: Checkout) -> list[Row]:
    """To a user, a group, everybody, and by filter; with few tokens, and with no token twice."""
    user = Audience(1, _user, lambda name: SendToUserAction(name, TEXT), "/users/{}/send")
    group = Audience(GROUP_SIZE, _group, lambda name: SendToGroupAction(name, TEXT), "/groups/{}/send")
    everyone = Audience(CLIENTS, lambda _: "all", lambda _: SendToAllAction(TEXT), "/send")
    some = "startswith(userId, 'user1')"  # user1, and user10 to user19
    filtered = Audience(11, lambda _: "all", lambda _: SendToAllAction(TEXT, filter=some))
    return [
        _row(ours, "rest-user", "REST: send to a user", user, Goal(NCHAN, 0.45, 0.2)),
        _row(ours, "rest-user-fresh", "REST: send to a user, no token twice", user, tokens=FRESH_TOKENS),
        _row(ours, "rest-group", f"REST: send to a group of {GROUP_SIZE}", group),
        _row(ours, "rest-all", f"REST: send to all of {CLIENTS}", everyone),
        _row(ours, "rest-filter", f"REST: send to 11 of {CLIENTS} by a filter", filtered),
    ]


def _user(number: int) -> str:
    return f"user{number}"


def _group(number: int) -> str:
    return f"group{number // GROUP_SIZE}"


def _row(ours: Checkout, name: str, title: str, audience: Audience, *goals: Goal, tokens: int = 1) -> Row:
    api = Api(partial(_send_ours, tokens), _target_of_ours, ACCEPTED)
    peers = _peers(audience) if audience.path and tokens == 1 else ()
    contenders = ((OURS, ours.service(), api), *peers)
    sides = tuple(_contender(*each, audience) for each in contenders)
    return Row(name, title, "messages/s", sides, goals, note=NOTE)


def _peers(audience: Audience) -> tuple[tuple[str, Server, Api], ...]:
    written = Api(_send_to_path, lambda _, n: f"/connect?user={_user(n)}&group={_group(n)}", ACCEPTED)
    channel = Api(
        _publish,
        lambda _, number: f"/subscribe?id={audience.place(number)}",
        {"status": 201, "contains": "queued messages"},
        is_open=True,
    )
    return (
        ("express + ws, hand-written", others.node("send_express.mjs"), written),
        ("FastAPI, hand-written", others.python("send_fastapi.py"), written),
        (NCHAN, others.nchan(), channel),
    )


def _contender(name: str, server: Server, api: Api, audience: Audience) -> Contender:
    return Contender(name, server, partial(_measure, api, audience))


def _measure(api: Api, audience: Audience, running: Running | None, seconds: float) -> Sample:
    assert running is not None
    requests = api.send(running, audience)
    if not api.is_open and (status := status_of(running, _forged(requests[0]))) != 401:
        raise RuntimeError(f"expected 401 as answer to a forged request, found {status}")
    host = f"localhost:{running.port}"
    upgrades = [upgrade_request(host, api.target(running, number)) for number in range(CLIENTS)]
    return http_load(
        running,
        seconds,
        requests,
        connections=CONNECTIONS,
        upgrades=b"".join(upgrades),
        frame=text_frame(TEXT),
        receivers=audience.receivers,
        **api.answer,
    ).sample()


def _forged(request: bytes) -> bytes:
    return request.replace(b"Authorization: Bearer ", b"Authorization: Bearer x")


def _send_ours(tokens: int, running: Running, audience: Audience) -> list[bytes]:
    host, now = f"localhost:{running.port}", time.time()
    targets = [build_request(HUB, audience.action(place)).target for place in audience.places]
    return [
        _signed(host, targets[number % len(targets)], now + number)
        for number in range(max(tokens, len(targets)))
    ]


def _signed(host: str, target: str, now: float) -> bytes:
    token = rest_token(f"http://{host}{target}", KEY, now=now)
    headers = {"Host": host, "Authorization": f"Bearer {token}", **TEXT_TYPE}
    return http_request("POST", target, headers, TEXT.encode())


def _target_of_ours(running: Running, number: int) -> str:
    return client_target(running, user_id=_user(number), groups=(_group(number),))


def _send_to_path(_: Running, audience: Audience) -> list[bytes]:
    return [
        http_request("POST", audience.path.format(name), API_KEY, TEXT.encode()) for name in audience.places
    ]


def _publish(_: Running, audience: Audience) -> list[bytes]:
    return [http_request("POST", f"/publish?id={name}", TEXT_TYPE, TEXT.encode()) for name in audience.places]
