"""An event handler as anybody writes one with Flask, with a session of its own for each connection.

Usage: python flask_event_handler.py ACCESS_KEY
"""

from __future__ import annotations

import hmac
import json
import sys
from typing import Any

from flask import Flask, Response, request, session
from flask.typing import ResponseReturnValue
from werkzeug.serving import WSGIRequestHandler, make_server

app = Flask(__name__)
app.secret_key = "cookies are signed"
told: list[dict[str, Any]] = []


def signature() -> str:
    connection = request.headers["ce-connectionId"].encode()
    return f"sha256={hmac.digest(sys.argv[1].encode(), connection, 'sha256').hex()}"


@app.get("/told")
def tell() -> ResponseReturnValue:
    return app.json.response(told)


@app.route("/api/<hub>/<event>", methods=["OPTIONS"], provide_automatic_options=False)
def validate(hub: str, event: str) -> Response:
    assert (hub, event) == ("chat", "validate")
    return Response(headers={"WebHook-Allowed-Origin": request.headers["WebHook-Request-Origin"]})


@app.post("/api/<hub>/<event>")
def handle(hub: str, event: str) -> ResponseReturnValue:
    headers, user = request.headers, request.headers.get("ce-userId")
    assert (hub, event) == (headers["ce-hub"], headers["ce-eventName"])
    assert signature() in headers["ce-signature"].split(",")
    if headers["ce-type"].startswith("azure.webpubsub.sys."):
        return notice(event, user)
    session["count"] += 1
    answer = session["count"]
    if event == "fails":
        return Response("this one fails", 400)
    if request.is_json:
        return app.json.response({"count": answer, "data": request.json})
    return Response(f"{answer}: {request.get_data(as_text=True)}", mimetype="text/plain")


def notice(event: str, user: str | None) -> Response:
    body = request.get_json()
    if event != "connect":
        told.append({"event": event, "user": user, **body})
        return Response(status=204)
    told.append({"event": event, "user": user, "query": body["query"]["q"]})
    if user == "attacker":
        return Response("no attackers here", 401)
    session["count"] = 0
    return Response(json.dumps({"groups": ["all"], "roles": ["webpubsub.sendToGroup"]}))


class Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
print(f"listening on {server.port}", flush=True)  # noqa: T201
server.serve_forever()
