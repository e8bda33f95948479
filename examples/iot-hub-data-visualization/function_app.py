"""Live charts of what devices measure: whoever watches gets every reading as it comes in."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import azure.functions as func

import webpubsub as wps

HUB = "%hubName%"

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="index", methods=["GET"])
def index(req: func.HttpRequest) -> func.HttpResponse:
    page = Path(__file__).with_name("index.html")
    return func.HttpResponse(page.read_bytes(), mimetype="text/html", charset="utf-8")


@app.route(route="negotiate", methods=["GET"])
@app.web_pubsub_connection_input(hub=HUB, user_id="{query.id}")
def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    body = {
        "baseUrl": connection.base_url,
        "url": connection.url,
        "accessToken": connection.access_token,
    }
    return func.HttpResponse(json.dumps(body), mimetype="application/json")


# With Event Hubs this is an `@app.event_hub_message_trigger` whose events bring the same JSON.
@app.route(route="messagehandler", methods=["POST"])
@app.web_pubsub_output(hub=HUB)
def messagehandler(req: func.HttpRequest, actions: wps.Actions) -> func.HttpResponse:
    try:
        readings = _readings(req.get_body())
    except ValueError as error:
        return func.HttpResponse(str(error), status_code=400)
    for reading in readings:
        actions.send_to_all(json.dumps(_message(reading)))
    return func.HttpResponse(status_code=202)


def _readings(body: bytes) -> list[dict[str, Any]]:
    """Return the device messages of a batch, or the one that came alone."""
    found = json.loads(body)
    readings = found if isinstance(found, list) else [found]
    for number, reading in enumerate(readings, start=1):
        if not isinstance(reading, dict) or "deviceId" not in reading:
            raise ValueError(f"message {number} is no reading: expected an object with 'deviceId'")
    return readings


def _message(reading: dict[str, Any]) -> dict[str, Any]:
    return {
        "IotData": reading,
        "MessageDate": reading.get("date") or datetime.now(UTC).isoformat(timespec="milliseconds"),
        "DeviceId": reading["deviceId"],
    }
