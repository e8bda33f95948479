import os

import azure.functions as func

PAGE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "index.html")


def main(req: func.HttpRequest) -> func.HttpResponse:
    with open(PAGE, encoding="utf-8") as page:
        return func.HttpResponse(page.read(), mimetype="text/html")
