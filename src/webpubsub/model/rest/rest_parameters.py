"""What stands in paths and queries of the REST API: text -> values.

Source: service spec, sections A.1 to A.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from webpubsub.model.access.connection_string import ClientProtocol
from webpubsub.model.actions import parse_permission
from webpubsub.model.carried import user_id_problem
from webpubsub.model.errors import InvalidName, RestError
from webpubsub.model.names import parse_connection_id, parse_group_name, parse_user_id
from webpubsub.model.send_actions import MAX_TTL_SECONDS

API_VERSIONS: Final = ("2021-10-01", "2022-11-01", "2023-07-01", "2024-01-01", "2024-12-01")
MAX_PAGE_SIZE: Final = 200
MAX_TOKEN_LENGTH: Final = 2048
_MAX_INT: Final = 2**31 - 1

_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d(-preview)?", re.ASCII)
_ENCODED_SLASH: Final = re.compile(rb"%(?=2[Ff])")


def bad_request(message: str, target: str) -> RestError:
    """Return the error of a request that breaks a rule: 400."""
    return RestError(400, "Error.BadRequest", message, target)


def refused(target: str, error: InvalidName) -> RestError:
    """Return the error of a parameter outside its rules: 400."""
    return bad_request(f"{error}.", target)


# --- paths --------------------------------------------------------------------------------------------


def decode_segment(segment: bytes, *, decode_slash: bool = True) -> str:
    """Return the text of one segment of a path.

    Args:
        segment: As sent, percent-encoded. A plus is a plus.
        decode_slash: Whether ``%2F`` is a slash; else the three characters stay, as ASP.NET leaves them.

    Example:
        >>> decode_segment(b"a%2Fb%20c"), decode_segment(b"a%2Fb%20c", decode_slash=False)
        ('a/b c', 'a%2Fb c')
    """
    if b"%" not in segment:
        return segment.decode(errors="replace")
    if not decode_slash:
        segment = _ENCODED_SLASH.sub(b"%25", segment)
    return unquote_to_bytes(segment).decode(errors="replace")


def parse_in_path(attribute: str, text: str) -> Any:
    """Return the value of a placeholder.

    Raises:
        RestError: It is outside its rules (400).
    """
    try:
        return _IN_PATH[attribute](text)
    except InvalidName as error:
        raise refused(attribute, error) from error


# --- queries ------------------------------------------------------------------------------------------


def parse_query(text: bytes) -> dict[str, list[str]]:
    """Return the parameters of a query string, name to values in order."""
    query: dict[str, list[str]] = {}
    if b"%" not in text and b"+" not in text:  # nothing to decode, at a third of the cost
        for piece in text.decode("latin-1").split("&"):
            if piece:
                name, _, value = piece.partition("=")
                query.setdefault(name, []).append(value)
        return query
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True, errors="replace"):
        query.setdefault(name, []).append(value)
    return query


def fold_names(query: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return a query with its names in lower case, as the REST API compares them without case."""
    folded: dict[str, list[str]] = {}
    for name, values in query.items():
        folded.setdefault(name.lower(), []).extend(values)
    return folded


def parse_api_version(query: Mapping[str, Sequence[str]], *, strict: bool = False) -> str:
    """Return the request's api-version; without one, the newest known.

    Args:
        query: With names in lower case.
        strict: Whether versions newer than the newest known are refused, as Azure does with those it does
            not have. Else they are taken, so that an SDK newer than this package goes on working.

    Raises:
        RestError: It is unknown, or given twice.
    """
    found = query.get("api-version", API_VERSIONS[-1:])
    if len(found) == 1 and (found[0] in API_VERSIONS or (not strict and _is_newer(found[0]))):
        return found[0]
    raise bad_request("The specified API version is not supported.", "api-version")


def _is_newer(version: str) -> bool:
    return bool(_VERSION.fullmatch(version)) and version[:10] > API_VERSIONS[-1]


def parse_in_query(attribute: str, parameter: str, values: Sequence[str]) -> Any:
    """Return the value of a parameter that was given.

    Raises:
        RestError: It is outside its rules, or repeated though it is no list (400).
    """
    if attribute not in _LISTS and len(values) > 1:
        raise bad_request(f"'{parameter}' is given more than once.", parameter)
    parser = _IN_QUERY.get(attribute, str)
    try:
        parsed = tuple(map(parser, values))
    except InvalidName as error:
        raise refused(parameter, error) from error
    return parsed if attribute in _LISTS else parsed[0]


def _number(parameter: str, lowest: int, highest: int) -> Callable[[str], int]:
    rule = f"a whole number from {lowest} to {highest}"

    def parse(text: str) -> int:
        # More digits than a number of the API has are no number, however long it takes to read them.
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
        if not lowest <= number <= highest:
            raise InvalidName(parameter, text, rule)
        return number

    return parse


def _client_type(text: str) -> ClientProtocol:
    try:
        return ClientProtocol(text)
    except ValueError:
        raise InvalidName("clientType", text, "'Default' or 'MQTT'") from None


def _token_user_id(text: str) -> str:
    if (problem := user_id_problem(text)) is not None:
        raise InvalidName("user", text, f"what can travel in a header, but {problem}")
    return text


def _continuation_token(text: str) -> str:
    if not 0 < len(text) <= MAX_TOKEN_LENGTH:
        raise InvalidName("continuationToken", text, f"1 to {MAX_TOKEN_LENGTH} characters")
    return text


_IN_PATH: Final[Mapping[str, Callable[[str], Any]]] = {
    "connection_id": parse_connection_id,
    "group": parse_group_name,
    "user_id": parse_user_id,
    "permission": parse_permission,
}
# What is not here may be any text.
_IN_QUERY: Final[Mapping[str, Callable[[str], Any]]] = {
    "client_type": _client_type,
    "continuation_token": _continuation_token,
    "group": parse_group_name,
    "maxpagesize": _number("maxpagesize", 1, MAX_PAGE_SIZE),
    "message_ttl_seconds": _number("messageTtlSeconds", 0, MAX_TTL_SECONDS),
    "minutes_to_expire": _number("minutesToExpire", 1, _MAX_INT),
    "target_name": parse_group_name,
    "user_id": _token_user_id,
    "top": _number("top", 1, _MAX_INT),
}
_LISTS: Final = {"excluded", "role", "group"}
