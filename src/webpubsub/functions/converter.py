"""The worker's converter for ``webPubSubTrigger``, which keeps the trigger metadata of binary values.

Microsoft's library has none, so the worker treats the binding as generic. This one does the same in every
respect, but that bytes come as `TriggerBytes`: functions of the app that are not typed notice nothing.

Its registry is private, belongs to the whole process, and takes one converter a binding type. So it is
touched only for apps that need it, and an app never fails for it.

Source: Functions in Python spec, section 3 (B+).
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import azure.functions

from webpubsub.functions.host_json.trigger_bytes import Datum, TriggerBytes

_TYPE: Final = "webPubSubTrigger"
_LOGGER: Final = logging.getLogger("webpubsub")


@functools.cache
def has_converter() -> bool:
    """Register the converter, the first time, and tell whether the worker will use it.

    It will not when the binding type has another already, or when the library's registry is no longer what
    it was; a warning says so, once.
    """
    try:
        registry: Any = azure.functions.get_binding_registry()  # type: ignore[no-untyped-call]
        other = registry.get(_TYPE)
        if other is None:
            converter = _register()
            if registry.get(_TYPE) is converter:
                return True
        problem = f"the registry of azure.functions has {other or 'nothing'} for it"
        _LOGGER.warning(_FALLBACK, problem)
    except Exception as error:  # it is private, and may have become anything
        _LOGGER.warning(_FALLBACK, f"{type(error).__name__}: {error}", exc_info=True)
    return False


_FALLBACK: Final = (
    "binary messages of user events arrive damaged in the Azure Functions worker, because the converter for "
    "webPubSubTrigger could not be registered: %s; send binary data as text, for example base64, or use a "
    "version of azure-functions that webpubsub knows"
)


def _register() -> type:
    from azure.functions import meta  # here, as a library without it must not keep apps from loading

    class WebPubSubTriggerConverter(meta.InConverter, meta.OutConverter, binding=_TYPE, trigger=_TYPE):
        @classmethod
        def check_input_type_annotation(cls, pytype: type) -> bool:
            return issubclass(pytype, str | bytes)

        @classmethod
        def check_output_type_annotation(cls, pytype: type) -> bool:
            return issubclass(pytype, str | bytes | bytearray)

        @classmethod
        def has_implicit_output(cls) -> bool:
            return True

        @classmethod
        def decode(cls, data: Datum | None, *, trigger_metadata: Mapping[str, Datum] | None) -> Any:
            return _decode(data, trigger_metadata or {})

        @classmethod
        def encode(cls, obj: Any, *, expected_type: type | None) -> meta.Datum:
            return meta.Datum(*_encode(obj))

    return WebPubSubTriggerConverter


def _decode(data: Datum | None, trigger_metadata: Mapping[str, Datum]) -> str | TriggerBytes | None:
    if data is None or data.type is None:
        return None
    if data.type == "bytes":
        value = TriggerBytes(data.value)
        value.trigger_metadata = trigger_metadata
        return value
    if data.type in ("string", "json"):
        return data.value  # type: ignore[no-any-return]
    raise ValueError(f"unexpected type of data received for the webPubSubTrigger binding: {data.type!r}")


def _encode(result: Any) -> tuple[Any, str | None]:
    """Return value and type on the wire; an int and a bool are the same, as in the generic binding."""
    if result is None:
        return None, None
    for kind, type_, make in _WIRE_TYPES:
        if isinstance(result, kind):
            return make(result), type_
    raise NotImplementedError  # the worker turns this into its own error


def _same(result: Any) -> Any:
    return result


_WIRE_TYPES: Final[tuple[tuple[type, str, Callable[[Any], Any]], ...]] = (
    (str, "string", _same),
    (bytes, "bytes", _same),
    (bytearray, "bytes", bytes),
    (dict, "json", json.dumps),
    (list, "json", json.dumps),
    (int, "int", _same),
    (float, "double", _same),
)
