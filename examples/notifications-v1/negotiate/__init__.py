"""Where a watcher connects to."""

import json

import azure.functions as func

import webpubsub as wps


@wps.typed
def main(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    body = {
        "baseUrl": connection.base_url,
        "url": connection.url,
        "accessToken": connection.access_token,
    }
    return func.HttpResponse(json.dumps(body), mimetype="application/json")
