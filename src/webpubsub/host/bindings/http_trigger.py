"""``httpTrigger`` and ``http``: what the worker would build of a request, and of a response.

Source: Python spec, sections 5 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import msgspec
from azure.functions import meta
from azure.functions.http import HttpRequest

from webpubsub.host.bodies import MAX_EXPRESSION_BODY_BYTES
from webpubsub.host.dotnet.routes import RouteTemplate
from webpubsub.host.expressions import BindingData, body_members
from webpubsub.host.function import RETURN, Binding, Facilities, FunctionDefinition, Invocation
from webpubsub.host.running.invocation import Out
from webpubsub.model.errors import ConfigurationError, UsageError
from webpubsub.model.http import HttpAnswer, header_text
from webpubsub.model.payload import MALFORMED_JSON

# An ASGI scope; its values are of many types.
Scope = Mapping[str, Any]

_METHOD: Final = re.compile(r"[A-Z]+")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NOT_IN_A_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# The server frames the body; a length or an encoding that it does not have would break the connection.
_FRAMING: Final = {"content-length", "transfer-encoding"}
# Paths the Functions host keeps for itself.
_RESERVED: Final = {"admin", "runtime"}
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json; charset=utf-8"


class AuthLevel(StrEnum):
    """Which key opens an HTTP function.

    Attributes:
        ANONYMOUS: None is needed.
        FUNCTION: One of the function, a host-wide function key, or the master key.
        ADMIN: The master key.
    """

    ANONYMOUS = "anonymous"
    FUNCTION = "function"
    ADMIN = "admin"


class HttpTrigger:
    """Starts a function for requests to a route.

    Attributes:
        name: The binding's name.
        route: The whole path's template, prefix included.
        methods: In upper case; empty for any.
        auth_level: Which key a request needs, when the host asks for keys.
    """

    takes_source = False

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        """Read the binding.

        Raises:
            ConfigurationError: The route, a method or the auth level is unusable.
        """
        self.name: str = binding["name"]
        route = binding.get("route")
        path = definition.name if route is None else str(route)
        self.route = RouteTemplate(f"{facilities.route_prefix}/{path.strip('/')}".strip("/"))
        if self.route.text.split("/")[0].lower() in _RESERVED:
            raise ConfigurationError(
                f"route '{self.route.text}' starts with 'admin' or 'runtime', which the host keeps for itself"
            )
        self.methods = _methods(binding.get("methods") or ())
        self.auth_level = _auth_level(binding.get("authLevel"))
        self._output = _output_name(definition.bindings)
        self._max_body = facilities.max_expression_body_bytes

    def value(self, source: HttpRequest) -> HttpRequest:
        return source

    def data(self, source: HttpRequest) -> Mapping[str, Any]:
        return request_data(source, self._max_body)

    def finish(self, result: Any, values: Mapping[str, Any], source: HttpRequest) -> HttpAnswer:
        """Return the answer of a function that ran.

        Raises:
            UsageError: What the function gave is no response.
        """
        if self._output is None:
            return HttpAnswer(204)
        return encode_response(result if self._output == RETURN else values[self._output].get())


class HttpOutput:
    """The response as a parameter; `HttpTrigger.finish` reads it."""

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        self.name: str = binding["name"]

    def open(self) -> Out:
        return Out()

    async def close(self, value: object, invocation: Invocation) -> None:
        """Do nothing: the response is sent by whoever received the request."""


def _methods(names: Any) -> tuple[str, ...]:
    methods = () if isinstance(names, str) else tuple(str(name).upper() for name in names)
    if isinstance(names, str) or not all(_METHOD.fullmatch(method) for method in methods):
        raise ConfigurationError(f"'methods' is {names!r}: expected a list such as ['GET', 'POST']")
    return methods


def _auth_level(value: Any) -> AuthLevel:
    try:
        return AuthLevel.FUNCTION if value is None else AuthLevel(str(value).lower())
    except ValueError:
        raise ConfigurationError(
            f"'authLevel' is {value!r}: expected 'anonymous', 'function' or 'admin'"
        ) from None


def _output_name(bindings: tuple[Binding, ...]) -> str | None:
    names = [binding["name"] for binding in bindings if binding["type"].lower() == "http"]
    if len(names) > 1:
        raise ConfigurationError(f"there are {len(names)} 'http' outputs {names}: keep one")
    return names[0] if names else None


# --- requests -----------------------------------------------------------------------------------------


def build_request(scope: Scope, route_params: dict[str, str], body: bytes) -> HttpRequest:
    """Return the request as the worker builds it.

    Header names are in lower case; repeated headers and query parameters are joined with commas; query
    parameters without a value are left out.
    """
    given = ((name.decode("latin-1").lower(), header_text(value)) for name, value in scope["headers"])
    headers = _joined(given)
    return HttpRequest(
        scope["method"],
        _url(scope, headers.get("host")),
        headers=headers,
        params=_params(scope["query_string"]),
        route_params=route_params,
        body_type="bytes",
        body=body,
    )


def _url(scope: Scope, host: str | None) -> str:
    if not host:
        name, port = scope.get("server") or ("localhost", None)
        host = "localhost" if port is None else f"{name}:{port}"  # a Unix socket has no port, and no host
    path = (scope.get("raw_path") or quote(scope["path"], errors="replace").encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{host}{path}{'?' if query else ''}{query}"


def _params(query_string: bytes, *, keep_empty: bool = False) -> dict[str, str]:
    spellings: dict[str, str] = {}  # names are the same in any case; the first spelling is kept
    given = parse_qsl(query_string.decode("latin-1"), keep_blank_values=keep_empty, errors="replace")
    return _joined((spellings.setdefault(name.lower(), name), value) for name, value in given)


def _joined(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values by name, those of one name with commas between; there may be thousands."""
    found: dict[str, list[str]] = {}
    for name, value in given:
        found.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}


def request_data(request: HttpRequest, max_body: int = MAX_EXPRESSION_BODY_BYTES) -> BindingData:
    """Return the binding data of a request.

    Bare names are members of a JSON body, then query parameters, then route parameters; the later wins.
    ``query`` and ``headers`` are always the request's own, so that a body cannot pretend to be them. The body
    is decoded for a name that none of the others has, if it has ``max_body`` bytes at most; else that name
    raises `BodyTooLong`.
    """
    # The worker's request has no parameters without a value; the host's has.
    query = _params(request.url.partition("?")[2].encode("latin-1", "replace"), keep_empty=True)
    bare = {name: value for name, value in query.items() if name.lower() != "code"}
    found: dict[str, Any] = {}
    for layer in (bare, request.route_params):
        found |= {name.lower(): value for name, value in layer.items()}
    known = found | {"query": query, "headers": dict(request.headers)}
    return BindingData(known, lambda: body_members(request.get_body(), max_body))


# --- responses ----------------------------------------------------------------------------------------


def encode_response(value: Any) -> HttpAnswer:
    """Return the answer the host makes of what a function gave, by the worker's own encoder.

    Raises:
        UsageError: It is no response.
    """
    converter = meta.get_binding_registry().get("http")  # type: ignore[no-untyped-call]
    try:
        datum = converter.encode(value, expected_type=None)
    except NotImplementedError:
        raise UsageError(
            f"the function gave {type(value).__name__}: expected an HttpResponse or a str"
        ) from None
    if datum.type == "string":
        return _text_answer(datum.value)
    response = datum.value
    headers = {name: item.value for name, item in response["headers"].items()}
    cookies = _cookies(response["cookies"] or ())
    return _answer(response["status_code"].value, headers, response["body"].value, cookies)


def _answer(status: Any, headers: Any, body: bytes, cookies: Iterable[str] = ()) -> HttpAnswer:
    if not isinstance(headers, Mapping):
        raise UsageError(f"'headers' of the response is {headers!r}: expected an object")
    fields = [(name.lower(), str(value)) for name, value in headers.items()]
    fields += [("set-cookie", cookie) for cookie in cookies]
    found = [_header(name, value) for name, value in fields if name not in _FRAMING]
    return HttpAnswer(_status(status), found, body)


def _status(value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and 200 <= int(text[:4]) <= 599):
        raise UsageError(f"the response has the status {text}: expected a number from 200 to 599")
    return int(text)


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    if not _HEADER_NAME.fullmatch(name):
        raise UsageError(
            f"the response has a header {name!r}: expected letters, digits and any of !#$%&'*+.^_`|~-"
        )
    if _NOT_IN_A_HEADER.search(value):
        raise UsageError(f"header {name!r} of the response is {value!r}: expected text without line breaks")
    return name.encode("ascii"), value.encode("utf-8", "replace")


def _cookies(cookies: list[SimpleCookie] | tuple[()]) -> list[str]:
    return [morsel.OutputString() for cookie in cookies for morsel in cookie.values()]


def _text_answer(text: str) -> HttpAnswer:
    """Answer a ``str`` as the host does: JSON when it is some; an object with ``body`` is a response."""
    try:
        value = msgspec.json.decode(text)
    except (*MALFORMED_JSON, UnicodeEncodeError):
        return _answer(200, {"content-type": _TEXT}, text.encode("utf-8", "replace"))
    if not isinstance(value, dict) or "body" not in value:
        return _answer(200, {"content-type": _JSON}, text.encode())
    return _response_object(value)


def _response_object(value: dict[str, Any]) -> HttpAnswer:
    body = value["body"]
    content = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    status = value.get("status") or value.get("statusCode") or 200
    answer = _answer(status, value.get("headers") or {}, content)
    if any(name == b"content-type" for name, _ in answer.headers):
        return answer
    content_type = _header("content-type", _TEXT if isinstance(body, str) else _JSON)
    return HttpAnswer(answer.status, [content_type, *answer.headers], content)
