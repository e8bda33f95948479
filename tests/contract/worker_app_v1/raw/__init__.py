"""The connection as it arrives, a string."""

import azure.functions as func


def main(req: func.HttpRequest, connection: str) -> func.HttpResponse:
    return func.HttpResponse(connection)
