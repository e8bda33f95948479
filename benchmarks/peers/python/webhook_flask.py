"""The webhook of Azure Web PubSub, hand-written with Flask; ``gunicorn webhook_flask:app`` runs it."""

from flask import Flask, Response, abort, request
from signatures import is_signed

app = Flask(__name__)


@app.post("/webhook")
def message() -> Response:
    event = request.headers
    if not is_signed(event["ce-connectionId"], event["ce-signature"]):
        abort(401)
    if event["ce-hub"] != "bench" or event["ce-type"] != f"azure.webpubsub.user.{event['ce-eventName']}":
        abort(404)
    request.get_data(as_text=True)
    return Response("ack", mimetype="text/plain")
