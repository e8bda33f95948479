"""The function app and the blueprint of ``azure.functions``, with the four decorators as methods."""

from __future__ import annotations

import azure.functions
from azure.functions.decorators.function_app import Function

from webpubsub.functions import decorators
from webpubsub.functions.checks import check_functions


class _WebPubSubApi:
    """The decorators take the app as their first argument, which is all a method is."""

    web_pubsub_trigger = decorators.web_pubsub_trigger
    web_pubsub_output = decorators.web_pubsub_output
    web_pubsub_connection_input = decorators.web_pubsub_connection_input
    web_pubsub_context_input = decorators.web_pubsub_context_input


class FunctionApp(azure.functions.FunctionApp, _WebPubSubApi):
    """An ``azure.functions.FunctionApp`` with the Web PubSub decorators.

    Example:
        >>> app = FunctionApp(http_auth_level="ANONYMOUS")
        >>> @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
        ... def message(request: UserEventRequest) -> str:
        ...     return f"you said {request.data}"
    """

    def get_functions(self) -> list[Function]:
        """Return the functions; the worker calls this once.

        Raises:
            FunctionErrors: Every function with a parameter that nothing binds, or a binding without
                parameter, all at once.
            ValueError: What the library itself refuses, such as a function without a trigger.
        """
        functions = super().get_functions()
        check_functions(functions)
        return functions


class Blueprint(azure.functions.Blueprint, _WebPubSubApi):
    """An ``azure.functions.Blueprint`` with the Web PubSub decorators.

    Example:
        >>> chat = Blueprint()
        >>> @chat.web_pubsub_trigger(hub="chat", event_type="system", event_name="connected")
        ... def connected(connection_context: WebPubSubConnectionContext) -> None: ...
        >>> app.register_functions(chat)
    """

    def __init__(self) -> None:  # the library's takes anything, and passes it to nobody
        super().__init__()  # type: ignore[no-untyped-call]
