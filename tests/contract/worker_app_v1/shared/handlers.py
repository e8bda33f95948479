"""Functions of two folders, in a file beside both."""

import webpubsub as wps


@wps.typed
def connected(connection_context: wps.WebPubSubConnectionContext, actions: wps.Actions) -> None:
    actions.send_to_all(f"{connection_context.user_id} is here")


@wps.typed
def disconnected(reason: str, told: wps.Actions) -> None:
    told.send_to_all(f"somebody left: {reason}")
