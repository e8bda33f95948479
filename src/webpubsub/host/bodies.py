"""Bodies of requests: how large they may be, whether their heads say so or they turn out to be."""

from __future__ import annotations

from typing import Final

from webpubsub.http.asgi import Receive, receive_body
from webpubsub.model.http import HttpAnswer, LaneHandler, RawHeaders

MAX_BODY_BYTES: Final = 100 * 1024 * 1024  # the Functions host's own limit
MAX_EXPRESSION_BODY_BYTES: Final = 1024 * 1024
"""What is decoded for an expression in a binding, unless host.json has another limit."""
MAX_SMALL_DIGITS: Final = 8
"""A ``content-length`` of so many digits is within the limit."""

TOO_LARGE: Final = HttpAnswer(
    413, ((b"content-type", b"text/plain; charset=utf-8"),), b"The request body is larger than 100 MiB."
)


def is_too_large(length: bytes) -> bool:
    """Whether a ``content-length`` is over the limit; what is no number says nothing of the body."""
    if not length.isdigit():
        return False
    digits = length.lstrip(b"0")
    # The bytes of a number too long to be a length are not read as one.
    return len(digits) > 18 or int(digits or b"0") > MAX_BODY_BYTES


async def completed(found: LaneHandler | HttpAnswer, headers: RawHeaders, receive: Receive) -> HttpAnswer:
    """Return the answer that is there already, or that of a handler once the whole body has come.

    Args:
        found: What a request's head has led to.
        headers: The request's; names in lower case.
        receive: Gives the body, and is not called where nobody wants it.

    Raises:
        ClientGone: The body never became complete.
    """
    if isinstance(found, HttpAnswer):
        return found
    if is_too_large(next((value for name, value in headers if name == b"content-length"), b"")):
        return TOO_LARGE
    body = await receive_body(receive, MAX_BODY_BYTES)
    if body is None:
        return TOO_LARGE
    answer = found(body)
    return answer if isinstance(answer, HttpAnswer) else await answer
