"""Calls that a Python program makes: how many a second, and what each costs its process.

The scripts beside it call ours and the official SDK, each in a process of its own, and print what
`benchmarks.rounds.Sample` is made of.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable

WARM_UP = 0.3
KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
HUB = "bench"
USERS = [f"user{number}" for number in range(100)]
TEXT = "0123456789" * 10
IN_FLIGHT = 16
ROLES = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]
GROUPS = ["g"]


def connection_string(port: str) -> str:
    """Return that of a service on this machine."""
    return f"Endpoint=http://localhost:{port};AccessKey={KEY};Version=1.0;"


async def call_repeatedly(call: Callable[[str], Awaitable[object]], seconds: float) -> None:
    """Make calls for the users in turn, so many in flight, and print what they cost; any error ends it."""
    latencies: list[float] = []
    began = 0.0

    async def caller(number: int) -> None:
        while not began or time.perf_counter() - began < seconds:
            number += IN_FLIGHT
            sent = time.perf_counter()
            await call(USERS[number % len(USERS)])
            latencies.append(time.perf_counter() - sent)

    callers = asyncio.gather(*(caller(number) for number in range(IN_FLIGHT)))
    await asyncio.sleep(WARM_UP)
    latencies.clear()
    busy, began = time.process_time(), time.perf_counter()
    await callers
    took = time.perf_counter() - began
    report(len(latencies), took, time.process_time() - busy, sorted(latencies))


def sign_repeatedly(sign: Callable[[str], str], seconds: float) -> None:
    """Sign tokens for the users in turn and print what they cost; the last of each user is checked."""
    tokens: dict[str, str] = {}
    count, began, busy = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        for user in USERS:
            tokens[user] = sign(user)
        count += len(USERS)
    report(count, time.perf_counter() - began, time.process_time() - busy, [])
    for user, token in tokens.items():
        check(token, user)


def check(token: str, user: str) -> None:
    """Check that a token is signed with the key and says what it has to."""
    signed, _, signature = token.rpartition(".")
    claims = json.loads(unpadded(signed.partition(".")[2]))
    expected = {"sub": user, "role": ROLES, "webpubsub.group": GROUPS}
    if {name: claims.get(name) for name in expected} != expected:
        raise ValueError(f"expected {expected}, found {claims}")
    if not hmac.compare_digest(
        unpadded(signature), hmac.digest(KEY.encode(), signed.encode(), hashlib.sha256)
    ):
        raise ValueError(f"the token of {user} is not signed with the key")


def unpadded(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def report(count: int, seconds: float, busy: float, latencies: list[float]) -> None:
    """Print a sample."""
    sample: dict[str, float] = {"value": count / seconds, "cpu_us": busy / count * 1e6}
    if latencies:
        sample["p50_us"] = latencies[len(latencies) // 2] * 1e6
        sample["p99_us"] = latencies[len(latencies) * 99 // 100] * 1e6
    print(json.dumps(sample))
