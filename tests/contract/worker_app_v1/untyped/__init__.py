"""As without the package."""

import json

import azure.functions as func


def main(request: str, actions: func.Out[str]) -> dict:
    actions.set(json.dumps({"actionName": "sendToAll", "data": type(request).__name__, "dataType": "text"}))
    return {"data": json.loads(request)["data"].upper(), "dataType": "text"}
