"""The others: peers as their own documentation runs them in production, and C programs as limits.

Nothing is compiled or installed before one of them starts: listing rows, or measuring ours alone, needs none.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.ours import KEY
from benchmarks.programs import PYTHON, compiled, debian, node_peer, python_of_peers, python_peer
from benchmarks.servers import PORT, Server

__all__ = ["gunicorn", "limit", "nchan", "node", "python"]

# Every peer that checks signatures or tokens takes the key from its environment.
_ENVIRONMENT: Final = {"ACCESS_KEY": KEY}

# An express server needs 350 us for a request at first, 120 us after some ten thousand of them.
_NODE_WARM_UP: Final = 3.0


def node(script: str, *arguments: str, warm_up: float = _NODE_WARM_UP) -> Server:
    """Return a script of ``peers/node``; its first argument is the port."""
    return Server(
        (PORT, *arguments),
        program=partial(node_peer, script),
        environment={**_ENVIRONMENT, "NODE_ENV": "production"},
        warm_up=warm_up,
    )


def python(script: str, *arguments: str) -> Server:
    """Return a script of ``peers/python``; its first argument is the port."""
    return Server((PORT, *arguments), program=partial(python_peer, script), environment=_ENVIRONMENT)


def gunicorn(app: str, *options: str) -> Server:
    """Return a WSGI application of ``peers/python``, such as ``module:app``, under one worker of gunicorn."""
    listens = ("--bind", f"127.0.0.1:{PORT}", "--chdir", str(PYTHON))
    # Waiting for its turn it is stopped: that is not being stuck.
    lives = ("--workers", "1", "--timeout", "600", "--keep-alive", "75")
    command = ("-m", "gunicorn", *listens, *lives, *options, app)
    return Server(command, program=lambda: (python_of_peers(),), environment=_ENVIRONMENT)


def limit(name: str, *arguments: str) -> Server:
    """Return a program of ``limits``; its first argument is the port."""
    return Server((PORT, *arguments), program=lambda: (compiled(name),))


def nchan() -> Server:
    """Return nginx with the nchan module: /publish?id= to the WebSocket clients of /subscribe?id=."""
    return Server(
        ("-p", ".", "-e", "stderr", "-c", "nginx.conf"), program=_nginx, files={"nginx.conf": _NCHAN}
    )


def _nginx() -> tuple[str, ...]:
    return (debian("nginx", "nginx", "libnginx-mod-nchan"),)


_NCHAN: Final = """
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 20000; }
http {
    access_log off;
    keepalive_requests 1000000000;
    nchan_max_reserved_memory 256m;
    server {
        listen 127.0.0.1:{port} backlog=4096;
        location = /publish {
            nchan_publisher http websocket;
            nchan_channel_id $arg_id;
        }
        location = /subscribe {
            nchan_subscriber websocket;
            nchan_subscriber_first_message newest;
            nchan_channel_id $arg_id;
        }
    }
}
"""
