"""The chat of simplechat, with HTTP functions as event handlers: every event has its own route."""

import json
from pathlib import Path

import azure.functions as func

import webpubsub as wps

HUB = "simplechat"
GROUP = "group1"

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="index", methods=["GET"])
def index(req: func.HttpRequest) -> func.HttpResponse:
    page = Path(__file__).with_name("index.html")
    return func.HttpResponse(page.read_bytes(), mimetype="text/html", charset="utf-8")


@app.route(route="login", methods=["GET"])
@app.web_pubsub_connection_input(hub=HUB, user_id="{query.userId}")
def login(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    body = {
        "baseUrl": connection.base_url,
        "url": connection.url,
        "accessToken": connection.access_token,
    }
    return func.HttpResponse(json.dumps(body), mimetype="application/json")


@app.route(route="validate", methods=["OPTIONS"])
@app.web_pubsub_context_input()
def validate(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    # The service asks once whether its events may come here: `http_response` knows the answer.
    return wps.http_response(wps_context)


@app.route(route="connect", methods=["POST"])
@app.web_pubsub_context_input()
def connect(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    request = wps_context.request
    if not isinstance(request, wps.ConnectEventRequest):
        return wps.http_response(wps_context)
    user_id = request.connection_context.user_id
    if user_id == "attacker":
        refusal = request.create_error_response("unauthorized", "attackers are not welcome here")
        return wps.http_response(wps_context, refusal)
    return wps.http_response(wps_context, request.create_response(user_id=user_id))


@app.route(route="connected", methods=["POST"])
@app.web_pubsub_context_input()
@app.web_pubsub_output(hub=HUB)
def connected(
    req: func.HttpRequest, wps_context: wps.WebPubSubContext, actions: wps.Actions
) -> func.HttpResponse:
    request = wps_context.request
    if isinstance(request, wps.ConnectedEventRequest):
        user_id = request.connection_context.user_id
        actions.send_to_all(f"[SYSTEM] {user_id} is connected")
        if user_id is not None:  # an anonymous client is nobody whom a group could have
            actions.add_user_to_group(user_id, GROUP)
            actions.send_to_group(GROUP, f"[SYSTEM] {user_id} joined group: {GROUP}")
    return wps.http_response(wps_context)


@app.route(route="message", methods=["POST"])
@app.web_pubsub_context_input()
@app.web_pubsub_output(hub=HUB)
def message(
    req: func.HttpRequest, wps_context: wps.WebPubSubContext, actions: wps.Actions
) -> func.HttpResponse:
    request = wps_context.request
    if not isinstance(request, wps.UserEventRequest):
        return wps.http_response(wps_context)
    actions.send_to_all(f"[From {request.connection_context.user_id}] {request.data}")
    counter = request.connection_context.states.get("counter", 0) + 1
    response = request.create_response(f"[SYSTEM] ack, {counter} so far")
    response.set_state("counter", counter)
    return wps.http_response(wps_context, response)


@app.route(route="disconnected", methods=["POST"])
@app.web_pubsub_context_input()
@app.web_pubsub_output(hub=HUB)
def disconnected(
    req: func.HttpRequest, wps_context: wps.WebPubSubContext, actions: wps.Actions
) -> func.HttpResponse:
    request = wps_context.request
    if isinstance(request, wps.DisconnectedEventRequest):
        actions.send_to_all(f"[SYSTEM] {request.connection_context.user_id} is disconnected")
    return wps.http_response(wps_context)
