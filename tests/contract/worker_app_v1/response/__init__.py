"""The response as a parameter."""

import azure.functions as func


def main(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
    res.set(func.HttpResponse(b"\x00\xff", mimetype="application/octet-stream"))
