"""New keys, in the form Azure makes, so that secret scanners know them.

33 random bytes, three bytes that read ``AzFu`` in base64, and a checksum whose seed tells the kind of key.

Source: Functions host, ``SecretGenerator``; Microsoft.Security.Utilities, ``IdentifiableSecrets``.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Final

MASTER_SEED: Final = int.from_bytes(b"Master00")
SYSTEM_SEED: Final = int.from_bytes(b"System00")
FUNCTION_SEED: Final = int.from_bytes(b"Functi00")

_SIGNATURE: Final = urlsafe_b64decode("AzFu")
_RANDOM_BYTES: Final = 33
_WORD: Final = 0xFFFFFFFF


def make_key(seed: int, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a new key: 56 characters that a URL can hold.

    Args:
        seed: Of its kind.
        random_bytes: Returns that many random bytes.
    """
    content = random_bytes(_RANDOM_BYTES) + _SIGNATURE
    checksum = marvin32(content, seed)
    return urlsafe_b64encode(content + checksum.to_bytes(4, "little")).decode()


def marvin32(content: bytes, seed: int) -> int:
    """Return Microsoft's Marvin checksum, folded to 32 bits."""
    low, high = seed & _WORD, seed >> 32
    # The end is marked with 0x80 and filled up with zeros; one empty block mixes it in.
    padded = content + b"\x80" + bytes(-(len(content) + 1) % 4)
    for at in range(0, len(padded), 4):
        low, high = _mixed(low + int.from_bytes(padded[at : at + 4], "little"), high)
    low, high = _mixed(low, high)
    return low ^ high


def _mixed(low: int, high: int) -> tuple[int, int]:
    low &= _WORD
    high ^= low
    low = (_rotated(low, 20) + high) & _WORD
    high = _rotated(high, 9) ^ low
    low = (_rotated(low, 27) + high) & _WORD
    return low, _rotated(high, 19)


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _WORD
