"""What an untyped function is handed beside its bindings' values: its context and output parameters."""

from __future__ import annotations

import threading
from typing import Any

import azure.functions as func

from webpubsub.host.function import Invocation
from webpubsub.model.http import RawHeaders, header_text

# As in the worker: user threads that set `invocation_id` here have their logs joined to the invocation.
thread_local = threading.local()


class Out(func.Out[Any]):
    """An output parameter of an untyped function; the last value set counts."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


class _TraceContext:
    """W3C trace context of the request, under the worker's new and old names."""

    def __init__(self, headers: RawHeaders) -> None:
        self.Traceparent = _header(headers, b"traceparent")
        self.Tracestate = _header(headers, b"tracestate")
        self.Attributes: dict[str, str] = {}

    @property
    def trace_parent(self) -> str:
        return self.Traceparent

    @property
    def trace_state(self) -> str:
        return self.Tracestate

    @property
    def attributes(self) -> dict[str, str]:
        return self.Attributes


class Context(func.Context):
    """What a function with a ``context`` parameter gets, as the worker makes it."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    @property
    def invocation_id(self) -> str:
        """A GUID."""
        return self._invocation.id

    @property
    def function_name(self) -> str:
        return self._invocation.function.definition.name

    @property
    def function_directory(self) -> str:
        """The folder of the file the function is in."""
        return self._invocation.function.definition.directory

    @property
    def thread_local_storage(self) -> Any:
        """A ``threading.local``: set its ``invocation_id`` in own threads."""
        return thread_local

    @property
    def trace_context(self) -> Any:
        """The W3C trace context of the request."""
        return _TraceContext(self._invocation.headers)

    @property
    def retry_context(self) -> Any:
        """How often the call was retried, and why."""
        return self._invocation.retry


def _header(headers: RawHeaders, name: bytes) -> str:
    return next((header_text(value) for key, value in headers if key == name), "")
