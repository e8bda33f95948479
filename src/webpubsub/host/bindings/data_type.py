"""The ``dataType`` member of bindings: whether an untyped function gets text or bytes.

Source: extension spec, sections 1.1 and 4.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from webpubsub.host.function import Binding

_T = TypeVar("_T")


def is_binary(binding: Binding) -> bool:
    """Whether the function wants bytes; any other type, or none, is text."""
    return str(binding.get("dataType") or "").lower() == "binary"


def as_data_type(
    binding: Binding, make: Callable[[_T], str | None]
) -> Callable[[_T], str | None] | Callable[[_T], bytes | None]:
    """Return ``make``, or for a binary binding what makes its text's UTF-8 bytes."""
    if not is_binary(binding):
        return make

    def encoded(source: _T) -> bytes | None:
        text = make(source)
        return None if text is None else text.encode()

    return encoded
