"""JSON Web Signatures as the service has them: the compact form, signed HS256 with an access key.

Written out rather than taken from PyJWT, as a token stands before every REST request and every client,
where PyJWT takes several times as long, and as importing PyJWT takes much of a start. Tokens signed with
other algorithms are PyJWT's, see `issued_tokens`.

Source: RFC 7515, sections 3.1, 4.1 and 5.2; RFC 7518, section 3.2.
"""

from __future__ import annotations

import binascii
import functools
import hmac
from collections.abc import Iterable
from typing import Final

import msgspec

from webpubsub.model.errors import TokenError
from webpubsub.model.payload import MALFORMED_JSON

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
# What is in the other alphabet only becomes a character of none.
_FROM_URL: Final = bytes.maketrans(b"-_+/", b"+/!!")


class _Header(msgspec.Struct):
    """The header of a token: what it says beside this needs no understanding."""

    alg: str
    kid: str | None = None
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    b64: bool = True


_headers: Final = msgspec.json.Decoder(_Header)


def sign(payload: bytes, key: str) -> str:
    """Return a token of ``payload``, signed with the UTF-8 form of ``key``.

    Example:
        >>> signed_payload(sign(b'{"aud":"x"}', "key"), ["key"])
        b'{"aud":"x"}'
    """
    text = b"%b.%b" % (_HEADER, _encode(payload))
    return (b"%b.%b" % (text, _encode(hmac.digest(key.encode(), text, "sha256")))).decode()


def signed_payload(token: str, keys: Iterable[str]) -> bytes:
    """Return the payload of a token that one of the keys has signed.

    Raises:
        TokenError: It is malformed, not signed HS256, or signed with another key.
    """
    header, payload, signature = _parts(token)
    if _algorithm(header) != "HS256":
        raise TokenError(f"the token cannot be read: it is signed {_algorithm(header)!r}: expected 'HS256'")
    text, found = token[: -len(signature) - 1].encode(), _decode(signature)
    for key in keys:
        if hmac.compare_digest(hmac.digest(key.encode(), text, "sha256"), found):
            return _decode(payload)
    raise TokenError("the token is signed with another key")


def unverified_payload(token: str) -> bytes:
    """Return what a token says, whoever wrote it: to find the key with which to check it.

    Raises:
        TokenError: It is malformed.
    """
    header, payload, _ = _parts(token)
    _algorithm(header)
    return _decode(payload)


def _parts(token: str) -> tuple[str, str, str]:
    parts = token.split(".", 3)
    if len(parts) != 3 or not token.isascii():
        raise TokenError("the token cannot be read: it is not three texts of base64 with dots between them")
    return parts[0], parts[1], parts[2]


@functools.lru_cache(maxsize=16)  # whoever signs writes the same header each time
def _algorithm(header: str) -> str:
    try:
        found = _headers.decode(_decode(header))
    except MALFORMED_JSON as error:
        raise TokenError(f"the token cannot be read: its header: {error}") from error
    if found.crit is not msgspec.UNSET or not found.b64:
        raise TokenError("the token cannot be read: its header asks for what is not understood here")
    return found.alg


def _encode(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def _decode(text: str) -> bytes:
    try:
        padded = text.encode().translate(_FROM_URL) + b"==="[: -len(text) % 4]
        return binascii.a2b_base64(padded, strict_mode=True)
    except binascii.Error as error:
        raise TokenError(f"the token cannot be read: {error}") from error


_HEADER: Final = _encode(b'{"alg":"HS256","typ":"JWT"}')
