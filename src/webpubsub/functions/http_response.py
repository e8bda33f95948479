"""The whole HTTP answer of a function that took a `WebPubSubContext`.

Source: extension spec, sections 5 and 6; the extension leaves this to the function.
"""

from __future__ import annotations

from typing import Any

import azure.functions as func

from webpubsub.functions.host_json.response_json import decode_response
from webpubsub.model.cloudevents import answer_of, build_answer, build_refusal
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import EventRequest, WebPubSubContext
from webpubsub.model.http import HttpAnswer


def http_response(context: WebPubSubContext, response: Any = None) -> func.HttpResponse:
    """Return what an HTTP function answers the service with.

    A request that is no valid event, and the question whether events may be sent here, are answered as
    they must be, whatever ``response`` is. An event is answered as by a trigger function that returns
    ``response``: states are merged into ``ce-connectionState``, errors get their status.

    Args:
        context: What the function got.
        response: `ConnectEventResponse`, `UserEventResponse`, `EventErrorResponse`, a dict in the extension's
            form, or None; for a user event also ``str``, ``bytes`` or any other JSON value.

    Raises:
        UsageError: ``response`` cannot answer this event.

    Example:
        >>> @app.route(route="{event}")
        ... @app.web_pubsub_context_input()
        ... def upstream(req: func.HttpRequest, wps_context: WebPubSubContext) -> func.HttpResponse:
        ...     if not isinstance(wps_context.request, UserEventRequest):
        ...         return http_response(wps_context)
        ...     return http_response(wps_context, f"you said {wps_context.request.data}")
    """
    request = context.request
    if not isinstance(request, EventRequest):
        given = context.response
        headers = {name: ",".join(values) for name, values in given.headers.items()}
        return func.HttpResponse(given.body, status_code=given.status, headers=headers)
    try:
        answer = build_answer(answer_of(request, decode_response(request, response)))
    except EventRefused as refused:
        answer = build_refusal(refused)
    return _response(answer)


def _response(answer: HttpAnswer) -> func.HttpResponse:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    return func.HttpResponse(answer.body, status_code=answer.status, headers=headers)
