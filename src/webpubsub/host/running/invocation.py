"""One call of one function, and what it is handed beside its bindings' values."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import getrandbits
from typing import Any
from uuid import UUID

import azure.functions as func
import msgspec

from webpubsub.host.expressions import system_data
from webpubsub.host.function import HostFunction
from webpubsub.host.running.retry import FIRST_CALL, RetryContext
from webpubsub.model.events import WebPubSubConnectionContext
from webpubsub.model.headers import RawHeaders, header_text

# As in the worker: user threads that set `invocation_id` here have their logs joined to the invocation.
thread_local = threading.local()

# Python has no type for "nested mappings of JSON values".
BindingData = Mapping[str, Any]


class Invocation(msgspec.Struct, eq=False):
    """One call of a function.

    Most invocations never ask for their id or binding data, so both are made when somebody does.

    Attributes:
        function: The function.
        source: What started it, see `Trigger`.
        clock: Seconds since the epoch.
        event: The context of the event that led here, or None.
        headers: Headers of the HTTP request that led here; empty for a timer.
        retry: How often it was called before with the same source.
    """

    function: HostFunction
    source: Any
    clock: Callable[[], float]
    event: WebPubSubConnectionContext | None = None
    headers: RawHeaders = ()
    retry: RetryContext = FIRST_CALL
    _id: str | None = None
    _data: BindingData | None = None

    @property
    def id(self) -> str:
        """A GUID."""
        if self._id is None:
            self._id = str(_new_guid())
        return self._id

    @property
    def data(self) -> BindingData:
        """What expressions in the bindings are resolved from."""
        if self._data is None:
            system = system_data(self.function.definition.name, self._utc_now, _new_guid)
            self._data = {**system, **self.function.trigger.data(self.source)}
        return self._data

    def _utc_now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    @property
    def ids(self) -> dict[str, str]:
        """Ids for trace events."""
        ids = {"function": self.function.definition.name, "invocation": self.id}
        if self.event is None:
            return ids
        return ids | {"event": f"{self.event.connection_id}/{self.event.event_id}"}


class Out(func.Out[Any]):
    """An output parameter of an untyped function; the last value set counts."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Set the value."""
        self._value = val

    def get(self) -> Any:
        """Return the value, or None."""
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
        """The function's name."""
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


def _new_guid() -> UUID:
    # Invocation ids tell calls apart and guard nothing; the system's randomness would cost a call of the
    # kernel each, 13% of a webhook's whole time.
    return UUID(int=getrandbits(128), version=4)


def _header(headers: RawHeaders, name: bytes) -> str:
    return next((header_text(value) for key, value in headers if key == name), "")
