"""The worker's converters: one a binding type, or else its generic binding.

Source: Python spec, sections 2 and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from azure.functions import meta


def has_implicit_output(binding_type: str) -> bool:
    """Whether a function with such a binding may return a value without a ``$return`` output."""
    converter = _converter(binding_type)
    return converter is None or bool(getattr(converter, "has_implicit_output", bool)())


def gives_text(binding_type: str, annotation: Any) -> bool:
    """Whether the worker hands over the host's text as it is, because its author wrote ``str``.

    It does for ``bytes`` too, and still hands over text.
    """
    return annotation in (str, bytes) and not has_implicit_output(binding_type)


def accepts_annotation(binding_type: str, wanted: Any, *, is_out: bool) -> bool:
    """Whether the worker takes a function that wants, or gives, such values, and can call it.

    Args:
        binding_type: The binding's type.
        wanted: The annotation; for a parameter of an output what its ``func.Out`` is of.
        is_out: The binding is an output.
    """
    converter = _converter(binding_type)
    if converter is None:
        return isinstance(wanted, type) and issubclass(wanted, _GENERIC_OUT if is_out else _GENERIC_IN)
    if not is_out and binding_type not in _NEVER_TEXT and gives_text(binding_type, wanted):
        return True
    kind = "check_output_type_annotation" if is_out else "check_input_type_annotation"
    check: Callable[[Any], bool] | None = getattr(converter, kind, None)
    try:
        return check is None or bool(check(wanted))
    except TypeError:  # the library's checks use issubclass
        return False


_GENERIC_IN: Final = (str, bytes)
_GENERIC_OUT: Final = (str, bytes, bytearray)
# The worker takes 'str' for a request, and then fails every call.
_NEVER_TEXT: Final = {"httpTrigger"}


def _converter(binding_type: str) -> Any:
    return meta.get_binding_registry().get(binding_type)  # type: ignore[no-untyped-call]
