"""A script of another name, in a folder of its own."""

from pathlib import Path

import azure.functions as func


async def answer(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    place = f"{Path(context.function_directory).name}/{context.function_name}"
    return func.HttpResponse(f"{req.route_params['word']} {place} {__name__}", status_code=202)
