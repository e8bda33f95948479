"""HTTP/1.1: a server, a client for the two hot calls that leave, and what every ASGI application here does.

::

    server.py          a socket that listens, the clock, a start and an end
    server_state.py    what its connections share
    protocol.py        bytes -> head -> who answers it -> answer, for each connection
    exchange.py        one request of an ASGI application, as the server sees it
    door.py            who may come in where only this machine connects
    places.py          how many connections to one origin there may be, and who waits for one
    client.py          request -> an idle connection, or a new one -> answer, in time
    urls.py            URL -> where to connect, how its requests begin, a new connection
    heads.py           heads that come in several pieces, on either side
    chunked.py         bodies in chunks, on either side; and how long one may take that is on its way
    asgi.py            one exchange over ASGI, as an application sees it: a whole body in, a whole answer out;
                       and how an application starts and ends

The client calls webhooks and the REST API. It follows no redirection, uses no proxy, keeps no cookies, and
asks for no content coding. Python's general clients take several times its CPU time a call.
"""

from __future__ import annotations

from webpubsub.http.client import Deadlines, HttpPool, Response
from webpubsub.http.errors import Crowded, HttpCallError, InvalidAnswer, InvalidCall, NotReached, Unanswered
from webpubsub.http.urls import Url, parse_url

__all__ = [
    "Crowded",
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
