"""The options of a start, as the command line gives them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from webpubsub.server.tls import Tls


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of ``webpubsub start``.

    Attributes:
        reload: Whether a change of the app's files starts it anew.
        workers: In how many processes it runs; None is this one.
        in_process: See `webpubsub.server.in_process`.
        allowed_hosts: For which hosts requests may come in beside those of this machine; see `Allowed`.
        allowed_origins: Of which other sites pages may send requests.
        tls: The certificate of the app's server, or None: then it speaks plain HTTP.
    """

    app_dir: Path
    host: str | None
    port: int | None
    service_port: int | None
    with_service: bool
    event_handlers: tuple[str, ...]
    functions: tuple[str, ...]
    auth: bool
    strict: bool
    insecure_default_key: bool
    log_format: str
    verbose: bool
    reload: bool = False
    workers: int | None = None
    in_process: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    tls: Tls | None = None
