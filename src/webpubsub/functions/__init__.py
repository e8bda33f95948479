"""Bindings: the Azure Functions extension for Web PubSub, typed, for any worker or host."""

from webpubsub.functions.actions_output import Actions
from webpubsub.functions.decorators import (
    web_pubsub_connection_input,
    web_pubsub_context_input,
    web_pubsub_output,
    web_pubsub_trigger,
)
from webpubsub.functions.function_app import Blueprint, FunctionApp
from webpubsub.functions.http_response import http_response
from webpubsub.functions.typed import typed

__all__ = [
    "Actions",
    "Blueprint",
    "FunctionApp",
    "http_response",
    "typed",
    "web_pubsub_connection_input",
    "web_pubsub_context_input",
    "web_pubsub_output",
    "web_pubsub_trigger",
]
