"""``webPubSubContext``: a request of the service to an HTTP function, read and checked.

Source: extension spec, sections 1.4 and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from azure.functions.http import HttpRequest

from webpubsub.functions.host_json import encode_context
from webpubsub.host.bindings.members import as_data_type, parse_connection_names
from webpubsub.host.function import Binding, Facilities, FunctionDefinition, Invocation
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.events import WebPubSubContext
from webpubsub.model.signature import RequestValidator
from webpubsub.model.upstream import read_upstream, refused

BAD_REQUEST: Final = 400


class WebPubSubContextInput:
    """Reads the request that started an HTTP function; never fails the function.

    Attributes:
        name: The binding's name.
        validator: Checks origin and signature; None when the binding's connections cannot be used.
        warnings: What runs, but does not do what its author meant.
    """

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        """Read the binding.

        A connection that cannot be used is no error here, as in Azure: every request is refused for it.

        Raises:
            ConfigurationError: ``connections`` is no list of names.
        """
        self.name: str = binding["name"]
        names = parse_connection_names(binding, facilities.connections)
        self.validator: RequestValidator | None = None
        self._problem = ""
        if not any(str(each["type"]).lower() == "httptrigger" for each in definition.bindings):
            self._problem = "a webPubSubContext needs an httpTrigger: there is no request to read"
        else:
            try:
                self.validator = facilities.connections.validator(names)
            except ConfigurationError as error:
                self._problem = str(error)
        self.warnings = (
            (f"binding '{self.name}' refuses every request: {self._problem}",) if self._problem else ()
        )
        self._as_value: Callable[[WebPubSubContext], object] = (
            _itself if definition.is_typed(self.name) else as_data_type(binding, encode_context)
        )

    def open(self, invocation: Invocation) -> object:
        """Return the context, as JSON for a function that is not typed."""
        return self._as_value(self._read(invocation))

    def _read(self, invocation: Invocation) -> WebPubSubContext:
        if self.validator is None:
            return refused(BAD_REQUEST, self._problem)
        request: HttpRequest = invocation.source
        return read_upstream(request.method, invocation.headers, request.get_body(), self.validator)


def _itself(context: WebPubSubContext) -> WebPubSubContext:
    return context
