"""A chat for people who are signed in: App Service authentication says who they are, and who sends events."""

import json
import os
from pathlib import Path

import azure.functions as func
from azure.messaging.webpubsubservice import WebPubSubServiceClient

import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="index", methods=["GET"])
def index(req: func.HttpRequest) -> func.HttpResponse:
    page = Path(__file__).with_name("index.html")
    return func.HttpResponse(page.read_bytes(), mimetype="text/html", charset="utf-8")


@app.route(route="negotiate", methods=["GET", "POST"])
def negotiate(req: func.HttpRequest) -> func.HttpResponse:
    # An input binding with user_id="{headers.x-ms-client-principal-name}" would fail without the header.
    user_id = req.headers.get("x-ms-client-principal-name")
    if user_id is None:
        return func.HttpResponse("Sign in first.", status_code=401)
    token = _service().get_client_access_token(user_id=user_id)
    return func.HttpResponse(json.dumps({"url": token["url"]}), mimetype="application/json")


@app.web_pubsub_trigger(hub="%Hub%", event_type="user", event_name="message")
@app.web_pubsub_output(hub="%Hub%")
def message(
    request: wps.UserEventRequest, actions: wps.Actions
) -> wps.UserEventResponse | wps.EventErrorResponse:
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    actions.send_to_all(f"[{request.connection_context.user_id}] {request.data}")
    return request.create_response("[SYSTEM] ack")


def _refusal(request: wps.UserEventRequest) -> wps.EventErrorResponse | None:
    """Refuse events that do not come from the identity of the Web PubSub resource, when it is set."""
    expected = os.environ.get("WebPubSubIdentityObjectId")
    if not expected:
        return None
    callers = request.connection_context.headers.get("x-ms-client-principal-id", [])
    if not callers:
        return request.create_error_response("unauthorized", "x-ms-client-principal-id is missing")
    if len(callers) != 1:
        return request.create_error_response("serverError", f"{len(callers)} callers: expected one")
    if callers[0] != expected:
        return request.create_error_response("unauthorized", f"object id {callers[0]} is not expected")
    return None


def _service() -> WebPubSubServiceClient:
    """Return a client of the same service that the bindings use: by identity, or by connection string."""
    hub = os.environ["Hub"]
    endpoint = os.environ.get("WebPubSubConnectionString__serviceUri")
    if endpoint is None:
        return WebPubSubServiceClient.from_connection_string(os.environ["WebPubSubConnectionString"], hub=hub)
    from azure.identity import DefaultAzureCredential

    return WebPubSubServiceClient(endpoint, hub, DefaultAzureCredential())
