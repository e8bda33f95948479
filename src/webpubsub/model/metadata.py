"""Message metadata: names and values that travel beside a message's data.

Clients of a subprotocol write and read it as the member ``metadata``. Over HTTP (REST sends, events and
their answers) it travels as headers ``X-WebPubSub-Metadata-{name}``, whose names come out in lower case.

Source: client spec, section 7.4; service spec, sections A.3, D.3 and F.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from webpubsub.model.carried import carry_problem
from webpubsub.model.errors import InvalidData

Metadata = Mapping[str, str]
NO_METADATA: Final[Metadata] = {}

MAX_NAME_BYTES: Final = 256
MAX_VALUE_BYTES: Final = 1024
MAX_BYTES: Final = 8 * 1024

_HEADER: Final = "X-WebPubSub-Metadata-"
_LOWERED: Final = _HEADER.lower()
METADATA_PREFIX: Final = _LOWERED.encode()
_PREFIX_SIZE: Final = len(METADATA_PREFIX)
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_metadata(metadata: Metadata) -> None:
    """Make sure that metadata can travel with a message.

    Raises:
        InvalidData: A name is not made of the characters of an HTTP token or has over 256 bytes, a value is
            not ASCII, has over 1,024, or cannot travel in a header as it is, or all of it has over 8,192.
    """
    for name, value in metadata.items():
        if not _NAME.fullmatch(name) or len(name) > MAX_NAME_BYTES:
            raise InvalidData(
                f"the metadata name {name[:80]!r} is not 1 to {MAX_NAME_BYTES} letters, digits, or any of "
                "! # $ % & ' * + . ^ _ ` | ~ -"
            )
        if not value.isascii() or len(value) > MAX_VALUE_BYTES:
            raise InvalidData(
                f"the metadata value of {name[:80]!r} is not at most {MAX_VALUE_BYTES} ASCII characters"
            )
        if (problem := carry_problem(value)) is not None:
            raise InvalidData(f"the metadata value of {name[:80]!r} cannot travel in a header: {problem}")
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > MAX_BYTES:
        raise InvalidData(f"the metadata has {size} bytes: at most {MAX_BYTES} are taken")


def parse_metadata_headers(headers: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """Read the metadata of an HTTP message.

    Of a name given more than once the last header counts, and of a value with commas what follows the last.

    Args:
        headers: All its headers; names in any case.

    Raises:
        InvalidData: See `check_metadata`.

    Example:
        >>> parse_metadata_headers([(b"x-webpubsub-metadata-Trace", b"a, b")])
        {'trace': 'b'}
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        if len(raw_name) >= _PREFIX_SIZE and raw_name.lower().startswith(METADATA_PREFIX):  # most are shorter
            value = raw_value.rpartition(b",")[2].strip(b" \t")
            found[raw_name.lower()[_PREFIX_SIZE:].decode("latin-1")] = value.decode("latin-1")
    if not found:
        return NO_METADATA
    check_metadata(found)
    return found


def metadata_of(headers: Mapping[str, Sequence[str]]) -> Metadata:
    """Return the metadata among the headers of an event, whoever checked it.

    Example:
        >>> metadata_of({"Host": ["localhost"], "X-WebPubSub-Metadata-trace": ["a, b"]})
        {'trace': 'a, b'}
    """
    if not headers:
        return NO_METADATA
    found = ((name.lower(), values) for name, values in headers.items() if values)
    return {name.removeprefix(_LOWERED): values[-1] for name, values in found if name.startswith(_LOWERED)}


def build_metadata_headers(metadata: Metadata) -> list[tuple[str, str]]:
    """Return the headers that carry metadata over HTTP.

    Names that differ in case only are one name there: the last one's value is sent.

    Example:
        >>> build_metadata_headers({"Trace": "1"})
        [('X-WebPubSub-Metadata-trace', '1')]
    """
    lowered = {name.lower(): value for name, value in metadata.items()}
    return [(f"{_HEADER}{name}", value) for name, value in lowered.items()]
