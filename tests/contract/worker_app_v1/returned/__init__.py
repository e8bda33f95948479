"""Actions as the return value."""

import json

import azure.functions as func


def main(req: func.HttpRequest) -> str:
    return json.dumps([{"actionName": "sendToAll", "data": "returned", "dataType": "text"}])
