"""Route templates of ASP.NET: ``users/{id:int}/{name?}``, ``files/{*path}``.

Literals match in any case. Of several templates that match, the most specific wins: segment by segment,
a literal before a constrained parameter before a free one before a catch-all.

Source: ASP.NET Core routing, "Route template reference" and "Route constraint reference"; Python spec,
section 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import msgspec

from webpubsub.host.dotnet.patterns import compile_search
from webpubsub.model.errors import ConfigurationError

Check = Callable[[str], bool]

# How specific a segment is, least number first (ASP.NET's inbound precedence).
LITERAL, CONSTRAINED, FREE, CONSTRAINED_REST, REST = range(1, 6)

_RULE: Final = re.compile(r":([A-Za-z]+)(?:\(((?:[^()]|\([^()]*\))*)\))?")
_NAME: Final = re.compile(r"(\*{0,2})([A-Za-z_][\w-]*)")
_END: Final = re.compile(r"(?:=(.*?))?(\??)", re.DOTALL)


class _Parameter(msgspec.Struct, frozen=True):
    name: str
    rest: bool
    optional: bool
    default: str | None
    checks: tuple[Check, ...]

    @property
    def may_be_missing(self) -> bool:
        return self.rest or self.optional or self.default is not None


_Segment = tuple[str | _Parameter, ...]


class RouteTemplate:
    """One parsed route template.

    Attributes:
        text: The template, without slashes at its ends.
        precedence: Sort key: the most specific template first.

    Example:
        >>> RouteTemplate("users/{id:int}").match("Users/7/")
        {'id': '7'}
    """

    def __init__(self, text: str) -> None:
        """Parse ``text``.

        Raises:
            ConfigurationError: It is no route template.
        """
        self.text = text.strip("/")
        segments = [_parse_segment(part, text) for part in _split(self.text)] if self.text else []
        _check_order(segments, text)
        _check_names([part for segment in segments for part in _parameters(segment)], text)
        self.precedence = tuple(_precedence(segment) for segment in segments)
        self._pattern = re.compile("".join(_patterns(segments)), re.IGNORECASE | re.DOTALL)
        self._captured = [segment for segment in segments if any(_parameters(segment))]

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters of ``path``, or None when it does not match.

        Args:
            path: Decoded, without a query.
        """
        path = path.strip("/")
        found = self._pattern.fullmatch(f"/{path}" if path else "")
        if found is None:
            return None
        values: dict[str, str] = {}
        for segment, part in zip(self._captured, found.groups(), strict=True):
            divided = (part,) if len(segment) == 1 else _divide_segment(segment, part)
            if divided is None:
                return None
            for parameter, value in zip(_parameters(segment), divided, strict=False):
                text = value or parameter.default
                if text:
                    if not all(check(text) for check in parameter.checks):
                        return None
                    values[parameter.name] = text
        return values


def _parameters(segment: _Segment) -> Iterator[_Parameter]:
    return (part for part in segment if isinstance(part, _Parameter))


def _divide_segment(segment: _Segment, text: str) -> Sequence[str] | None:
    """Return the values of the first parameters of a segment, of all or of all but the extension."""
    values = _divide(segment, text)
    if values is None and _ends_with_extension(segment) and not text.endswith("."):
        return _divide(segment[:-2], text)
    return values


def _divide(segment: _Segment, text: str) -> Sequence[str] | None:
    """Divide what came between two slashes, from its end on, as .NET does.

    Each literal is where it comes last, with something left for the parameter behind it, and is looked for
    nowhere else: one way through the text, while a pattern with several parameters would try all of them.
    """
    folded = _fold(text)
    end = len(text)
    values: list[str] = []
    is_waiting = False  # the parameter behind this part
    for part in reversed(segment):
        if isinstance(part, _Parameter):
            is_waiting = True
            continue
        start = folded.rfind(_fold(part), 0, end - is_waiting)
        if start < 0 or (not is_waiting and start + len(part) < end):
            return None
        if is_waiting:
            values.append(text[start + len(part) : end])
        end, is_waiting = start, False
    if (end > 0) is not is_waiting:  # something must be left for a first parameter, and for nobody else
        return None
    return [*([text[:end]] if is_waiting else ()), *reversed(values)]


def _fold(text: str) -> str:
    """Return the text in upper case, each character one still, as .NET compares without case."""
    if text.isascii():
        return text.upper()
    return "".join(
        new if len(new := old.upper()) == 1 and (old.isascii() or not new.isascii()) else old for old in text
    )


def _split(text: str) -> Iterator[str]:
    """Split at the slashes outside braces (a constraint's pattern may hold some)."""
    depth = start = 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == "/" and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _parse_segment(segment: str, text: str) -> _Segment:
    if not segment:
        raise ConfigurationError(f"route '{text}' has an empty segment")
    parts: list[str | _Parameter] = []
    at = 0
    for start, end in _braces(segment, text):
        if literal := segment[at:start]:
            parts.append(_unescaped(literal, text))
        parts.append(_parse_parameter(segment[start + 1 : end], text))
        at = end + 1
    if literal := segment[at:]:
        parts.append(_unescaped(literal, text))
    return tuple(parts)


def _braces(segment: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield where parameters start and end; a doubled brace is a literal one."""
    start: int | None = None
    at = 0
    while at < len(segment):
        if segment[at : at + 2] in {"{{", "}}"}:
            at += 2
            continue
        if segment[at] == "{" and start is None:
            start = at
        elif segment[at] == "}" and start is not None:
            yield start, at
            start = None
        elif segment[at] in "{}":
            raise ConfigurationError(f"route '{text}' has a '{segment[at]}' without its partner")
        at += 1
    if start is not None:
        raise ConfigurationError(f"route '{text}' has a '{{' without its partner")


def _unescaped(literal: str, text: str) -> str:
    if "?" in literal:
        raise ConfigurationError(f"route '{text}' has a '?' outside a parameter")
    return literal.replace("{{", "{").replace("}}", "}")


def _parse_parameter(inside: str, text: str) -> _Parameter:
    """Read ``*name:constraint(arguments)=default?``."""
    name = _NAME.match(inside)
    at = name.end() if name is not None else 0
    checks: list[Check] = []
    while rule := _RULE.match(inside, at):
        checks.append(_check(rule, text))
        at = rule.end()
    end = _END.fullmatch(inside, at)
    if name is None or end is None:
        raise ConfigurationError(f"route '{text}' has no usable parameter in '{{{inside}}}'")
    return _Parameter(name[2], bool(name[1]), bool(end[2]), end[1], tuple(checks))


def _check(rule: re.Match[str], text: str) -> Check:
    make = CONSTRAINTS.get(rule[1].lower())
    if make is None:
        known = ", ".join(CONSTRAINTS)
        raise ConfigurationError(
            f"route '{text}' has the unknown constraint '{rule[1]}': expected one of {known}"
        )
    try:
        return make(*_arguments(rule[1], rule[2]))
    except (TypeError, ValueError, re.error) as error:
        raise ConfigurationError(
            f"route '{text}' has the constraint '{rule[0][1:]}' with unusable arguments: {error}"
        ) from error


def _arguments(rule: str, arguments: str | None) -> list[str]:
    if arguments is None:
        return []
    if rule.lower() == "regex":
        return [arguments.replace("{{", "{").replace("}}", "}")]
    return [argument.strip() for argument in arguments.split(",")]


def _fits(pattern: str) -> Callable[[], Check]:
    compiled = re.compile(pattern, re.IGNORECASE | re.ASCII)
    return lambda: lambda value: compiled.fullmatch(value) is not None


def _within(bits: int) -> Callable[[], Check]:
    limit = 1 << (bits - 1)
    return lambda: lambda value: _is_whole(value) and -limit <= int(value) < limit


def _is_whole(value: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,19}", value) is not None


def _length(least: str, most: str | None = None) -> Check:
    low, high = int(least), int(most if most is not None else least)
    return lambda value: low <= len(value) <= high


def _range(least: str, most: str) -> Check:
    low, high = int(least), int(most)
    return lambda value: _is_whole(value) and low <= int(value) <= high


def _at_least(least: str) -> Check:
    low = int(least)
    return lambda value: _is_whole(value) and int(value) >= low


def _at_most(most: str) -> Check:
    high = int(most)
    return lambda value: _is_whole(value) and int(value) <= high


def _longest(most: str) -> Check:
    high = int(most)
    return lambda value: len(value) <= high


def _shortest(least: str) -> Check:
    low = int(least)
    return lambda value: len(value) >= low


def _is_datetime(text: str) -> bool:
    """Tell whether .NET would read a time, of the forms people put into paths."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return _CLOCK_TIME.fullmatch(text) is not None and _is_datetime(text.split()[0])
    return True


def _is_file_name(text: str) -> bool:
    """Tell whether the last part of a path has a dot with something other than dots after it."""
    _, dot, extension = text.rpartition("/")[2].partition(".")
    return bool(dot) and extension.strip(".") != ""


_CLOCK_TIME: Final = re.compile(r"\S+ (0?[1-9]|1[0-2])(:[0-5]\d){0,2} ?[ap]m", re.IGNORECASE)
_NUMBER: Final = r"[+-]?(\d[\d,]*(\.\d*)?|\.\d+)"
_HEX: Final = "[0-9a-f]"
_DASHED: Final = rf"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"

CONSTRAINTS: Final[Mapping[str, Callable[..., Check]]] = {
    "int": _within(32),
    "long": _within(64),
    "bool": _fits("true|false"),
    "decimal": _fits(_NUMBER),
    "double": _fits(rf"{_NUMBER}(e[+-]?\d+)?"),
    "float": _fits(rf"{_NUMBER}(e[+-]?\d+)?"),
    "datetime": lambda: _is_datetime,
    "guid": _fits(rf"{_HEX}{{32}}|{_DASHED}|\{{{_DASHED}\}}|\({_DASHED}\)"),
    "alpha": _fits("[a-z]*"),
    "length": _length,
    "minlength": _shortest,
    "maxlength": _longest,
    "min": _at_least,
    "max": _at_most,
    "range": _range,
    "regex": compile_search,
    "required": lambda: lambda value: bool(value),
    "file": lambda: _is_file_name,
    "nonfile": lambda: lambda value: not _is_file_name(value),
}


def _check_order(segments: list[_Segment], text: str) -> None:
    for segment in segments[:-1]:
        if any(isinstance(part, _Parameter) and part.rest for part in segment):
            raise ConfigurationError(f"route '{text}' has a catch-all parameter before its end")
    for segment in segments:
        for part in segment[:-1] if _ends_with_extension(segment) else segment:
            if isinstance(part, _Parameter) and part.may_be_missing and len(segment) > 1:
                raise ConfigurationError(
                    f"route '{text}': parameter '{part.name}' may be missing, so it must be a whole segment"
                )
    for first, second in ((a, b) for segment in segments for a, b in pairwise(segment)):
        if isinstance(first, _Parameter) and isinstance(second, _Parameter):
            raise ConfigurationError(f"route '{text}' has two parameters with nothing between them")


def _ends_with_extension(segment: _Segment) -> bool:
    """Tell whether a segment ends like ``{name}.{extension?}``: point and extension may be missing."""
    if len(segment) < 3:
        return False
    point, last = segment[-2:]
    return point == "." and isinstance(last, _Parameter) and last.optional and not last.rest


def _check_names(parameters: list[_Parameter], text: str) -> None:
    seen: set[str] = set()
    for parameter in parameters:
        if parameter.name.lower() in seen:
            raise ConfigurationError(f"route '{text}' has the parameter '{parameter.name}' twice")
        seen.add(parameter.name.lower())


def _precedence(segment: _Segment) -> int:
    first = segment[0]
    if len(segment) > 1:
        return CONSTRAINED
    if isinstance(first, str):
        return LITERAL
    if first.rest:
        return CONSTRAINED_REST if first.checks else REST
    return CONSTRAINED if first.checks else FREE


def _patterns(segments: list[_Segment]) -> Iterator[str]:
    """Yield the pattern of each segment; what may be missing may be so at the end only."""
    needed = next(
        (
            number
            for number, segment in reversed(list(enumerate(segments, 1)))
            if not _may_be_missing(segment)
        ),
        0,
    )
    for number, segment in enumerate(segments, 1):
        yield _pattern(segment) if number <= needed else f"(?:{_pattern(segment)})?"


def _may_be_missing(segment: _Segment) -> bool:
    first = segment[0]
    return len(segment) == 1 and isinstance(first, _Parameter) and first.may_be_missing


def _pattern(segment: _Segment) -> str:
    """Return a pattern that has one way at most to match a text."""
    first = segment[0]
    if isinstance(first, str) and len(segment) == 1:
        return "/" + re.escape(first)
    return "/(.*)" if isinstance(first, _Parameter) and first.rest else "/([^/]+)"
