"""``extensions.http`` of host.json: what the host does with every HTTP function's request and answer.

Beside Azure's options stand those of our own server, `HttpBounds`; Azure, whose server is another, ignores
them.

Source: Python spec, section 6; Functions host, HttpOptions, HostHstsMiddleware, CustomHttpHeadersMiddleware
and HttpThrottleMiddleware.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, get_args

import msgspec

from webpubsub.host.bodies import MAX_EXPRESSION_BODY_BYTES
from webpubsub.host.settings.host_options import HostOptions
from webpubsub.model.http import CallBounds, HttpBounds

_HTTP: Final = ("extensions", "http")
_HSTS: Final = (*_HTTP, "hsts")
_CUSTOM: Final = (*_HTTP, "customHeaders")
_MONTH: Final = 30 * 86400
# What would end a header or its name; the server sends no answer with such a header.
_NO_NAME: Final = re.compile(r'[\x00-\x20\x7f()<>@,;:\[\]={}\\"]|^$')
_NO_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class HttpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How HTTP functions are served.

    Attributes:
        route_prefix: First part of every function's path, without slashes; may be empty.
        max_outstanding_requests: How many requests may run or wait; more are answered 429. None for any.
        max_concurrent_requests: How many may run at once; others wait. None for any.
        custom_headers: Headers of every answer that does not have them, names in lower case.
        hsts: The ``strict-transport-security`` header of answers over HTTPS, or None.
        max_expression_body_bytes: How large a body may be that is decoded for an expression in a binding.
        bounds: What the server takes of requests.
    """

    route_prefix: str = "api"
    max_outstanding_requests: int | None = None
    max_concurrent_requests: int | None = None
    custom_headers: tuple[tuple[bytes, bytes], ...] = ()
    hsts: bytes | None = None
    max_expression_body_bytes: int = MAX_EXPRESSION_BODY_BYTES
    bounds: HttpBounds = HttpBounds()

    @classmethod
    def load(cls, options: HostOptions) -> HttpOptions:
        """Read the section.

        Raises:
            ConfigurationError: A value is not what it must be.
        """
        prefix = options.text(*_HTTP, "routePrefix")
        return cls(
            route_prefix="api" if prefix is None else prefix.strip("/"),
            max_outstanding_requests=_limit(options, "maxOutstandingRequests"),
            max_concurrent_requests=_limit(options, "maxConcurrentRequests"),
            custom_headers=tuple(_headers(options)),
            hsts=_hsts(options) if options.flag(*_HSTS, "isEnabled") else None,
            max_expression_body_bytes=_expression_body(options),
            bounds=HttpBounds(**dict(read_members(options, HttpBounds, _HTTP))),
        )


def _limit(options: HostOptions, name: str) -> int | None:
    number = options.number(*_HTTP, name)
    if number is not None and (number < -1 or number == 0):
        raise options.problem((*_HTTP, name), "a number above 0, or -1 for no limit", number)
    return None if number == -1 else number


def _expression_body(options: HostOptions) -> int:
    path = (*_HTTP, "maxExpressionBodyBytes")
    number = options.number(*path)
    if number is not None and number < 0:
        raise options.problem(path, "a number of bytes from 0", number)
    return MAX_EXPRESSION_BODY_BYTES if number is None else number


def read_members(
    options: HostOptions, struct: type[HttpBounds | CallBounds], section: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """Yield the members of bounds that a section sets; their least values stand in their types.

    Raises:
        ConfigurationError: A value is not what it must be.
    """
    for field in msgspec.structs.fields(struct):
        kind, meta = get_args(field.type)
        read, unit = (options.number, "") if kind is int else (options.seconds, " of seconds")
        unit = " of bytes" if field.name.endswith("_bytes") else unit
        path = (*section, field.encode_name)
        value = read(*path)
        if value is None:
            continue
        if value < meta.ge:
            raise options.problem(path, f"a number{unit} from {meta.ge}", value)
        yield field.name, value


def _headers(options: HostOptions) -> Iterator[tuple[bytes, bytes]]:
    for name, value in options.members(*_CUSTOM).items():
        if _NO_NAME.search(name):
            raise options.problem(_CUSTOM, "names of headers, which have no spaces or separators", name)
        if _NO_VALUE.search(value):
            raise options.problem((*_CUSTOM, name), "text without line breaks and other controls", value)
        yield name.lower().encode("latin-1", "replace"), value.encode("utf-8", "replace")


def _hsts(options: HostOptions) -> bytes:
    age = options.span(*_HSTS, "maxAge", example="30.00:00:00")
    seconds = _MONTH if age is None else int(age.total_seconds())
    subdomains = "; includeSubDomains" if options.flag(*_HSTS, "includeSubDomains") else ""
    preload = "; preload" if options.flag(*_HSTS, "preload") else ""
    return f"max-age={seconds}{subdomains}{preload}".encode()
