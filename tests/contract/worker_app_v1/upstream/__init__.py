"""An event over HTTP."""

import azure.functions as func

import webpubsub as wps


@wps.typed
def main(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    request = wps_context.request
    if not isinstance(request, wps.UserEventRequest):
        return wps.http_response(wps_context)
    return wps.http_response(wps_context, f"{request.data} from {request.connection_context.user_id}")
