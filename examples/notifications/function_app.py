"""A feed: every ten seconds a reading goes to everybody who watches."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import azure.functions as func

import webpubsub as wps

HUB = "sample_notification"

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="index", methods=["GET"])
def index(req: func.HttpRequest) -> func.HttpResponse:
    page = Path(__file__).with_name("index.html")
    return func.HttpResponse(page.read_bytes(), mimetype="text/html", charset="utf-8")


@app.route(route="negotiate", methods=["GET"])
@app.web_pubsub_connection_input(hub=HUB)
def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    body = {
        "baseUrl": connection.base_url,
        "url": connection.url,
        "accessToken": connection.access_token,
    }
    return func.HttpResponse(json.dumps(body), mimetype="application/json")


@app.timer_trigger(schedule="*/10 * * * * *", arg_name="timer")
@app.web_pubsub_output(hub=HUB)
def notification(timer: func.TimerRequest, actions: wps.Actions) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    temperature = random.uniform(22, 24)
    humidity = random.uniform(40, 50)
    actions.send_to_all(
        f"[DateTime: {now}] Temperature: {temperature:.1f}\N{DEGREE SIGN}C, Humidity: {humidity:.1f}%"
    )
