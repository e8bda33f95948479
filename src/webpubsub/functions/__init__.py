"""Bindings: the Azure Functions extension for Web PubSub, typed, for any worker or host."""

from webpubsub.functions.actions import Actions
from webpubsub.functions.app import Blueprint, FunctionApp
from webpubsub.functions.decorators import (
    web_pubsub_connection_input,
    web_pubsub_context_input,
    web_pubsub_output,
    web_pubsub_trigger,
)

__all__ = [
    "Actions",
    "Blueprint",
    "FunctionApp",
    "web_pubsub_connection_input",
    "web_pubsub_context_input",
    "web_pubsub_output",
    "web_pubsub_trigger",
]
