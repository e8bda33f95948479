"""What goes wrong with a call; its text names host and port, never a path or query, which may hold a key."""

from __future__ import annotations

from webpubsub.model.errors import WebPubSubError


class HttpCallError(WebPubSubError):
    """A call that brought no answer; callers say what that means to them."""


class InvalidCall(HttpCallError):
    """The request has no form in which it could be sent."""


class NotReached(HttpCallError):
    """No connection could be made, or it ended before the answer did; the same may work later."""


class Unanswered(NotReached):
    """The connection ended before the first byte of an answer.

    Attributes:
        is_unread: Whether it is certain that nobody has read the whole request.
    """

    def __init__(self, message: str, *, is_unread: bool = False) -> None:
        super().__init__(message)
        self.is_unread = is_unread


class Crowded(HttpCallError):
    """Too many calls go to one origin: none of its connections became free in time."""


class InvalidAnswer(HttpCallError):
    """What came back is no HTTP answer, or not one to this request."""
