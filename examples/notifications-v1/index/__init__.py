"""The page of the feed."""

from pathlib import Path

import azure.functions as func


def main(req: func.HttpRequest) -> func.HttpResponse:
    page = Path(__file__).parents[1] / "index.html"
    return func.HttpResponse(page.read_bytes(), mimetype="text/html", charset="utf-8")
