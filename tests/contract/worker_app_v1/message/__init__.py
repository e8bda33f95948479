"""A request under another name, beside parts of it, two outputs and the context."""

from pathlib import Path

import azure.functions as func

import webpubsub as wps


@wps.typed
def main(
    event: wps.UserEventRequest,
    data: str,
    data_type: wps.WebPubSubDataType,
    to_all: wps.Actions,
    toGroup: wps.Actions,
    context: func.Context,
) -> wps.UserEventResponse | wps.EventErrorResponse | None:
    if data == "raise":
        raise LookupError("no such answer")
    to_all.send_to_all(event.connection_context.user_id)
    toGroup.add(wps.SendToGroupAction("g", {"seen": data}, excluded=["c9"]))
    place = f"{Path(context.function_directory).name}/{context.function_name}"
    return event.create_response({"type": data_type, "function": place})
