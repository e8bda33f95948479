"""A chat room: every message goes to everybody, and its sender is told how many there were."""

import json
from pathlib import Path

import azure.functions as func

import webpubsub as wps

HUB = "sample_funcchat"
GROUP = "group1"

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="index", methods=["GET"])
def index(req: func.HttpRequest) -> func.HttpResponse:
    page = Path(__file__).with_name("index.html")
    return func.HttpResponse(page.read_bytes(), mimetype="text/html", charset="utf-8")


@app.route(route="negotiate", methods=["GET"])
@app.web_pubsub_connection_input(hub=HUB, user_id="{query.userId}")
def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    body = {
        "baseUrl": connection.base_url,
        "url": connection.url,
        "accessToken": connection.access_token,
    }
    return func.HttpResponse(json.dumps(body), mimetype="application/json")


@app.web_pubsub_trigger(hub=HUB, event_type="system", event_name="connect")
def connect(request: wps.ConnectEventRequest) -> wps.ConnectEventResponse | wps.EventErrorResponse:
    user_id = request.connection_context.user_id
    if user_id == "attacker":
        return request.create_error_response("unauthorized", "attackers are not welcome here")
    return request.create_response(user_id=user_id)


@app.web_pubsub_trigger(hub=HUB, event_type="system", event_name="connected")
@app.web_pubsub_output(hub=HUB)
def connected(request: wps.ConnectedEventRequest, actions: wps.Actions) -> None:
    user_id = request.connection_context.user_id
    actions.send_to_all(f"[SYSTEM] {user_id} is connected")
    if user_id is not None:  # an anonymous client is nobody whom a group could have
        actions.add_user_to_group(user_id, GROUP)
        actions.send_to_group(GROUP, f"[SYSTEM] {user_id} joined group: {GROUP}")


@app.web_pubsub_trigger(hub=HUB, event_type="user", event_name="message")
@app.web_pubsub_output(hub=HUB)
def message(request: wps.UserEventRequest, actions: wps.Actions) -> wps.UserEventResponse:
    actions.send_to_all(f"[From {request.connection_context.user_id}] {request.data}")
    counter = request.connection_context.states.get("counter", 0) + 1
    response = request.create_response(f"[SYSTEM] ack, {counter} so far")
    response.set_state("counter", counter)
    return response


@app.web_pubsub_trigger(hub=HUB, event_type="system", event_name="disconnected")
@app.web_pubsub_output(hub=HUB)
def disconnected(request: wps.DisconnectedEventRequest, actions: wps.Actions) -> None:
    actions.send_to_all(f"[SYSTEM] {request.connection_context.user_id} is disconnected")
