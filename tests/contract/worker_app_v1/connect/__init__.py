"""A typed answer, asynchronous."""

import webpubsub as wps


@wps.typed
async def main(request: wps.ConnectEventRequest, query: dict[str, list[str]]) -> wps.ConnectEventResponse:
    response = request.create_response(query["name"][0], ["lobby"], request.subprotocols[0])
    response.set_state("counter", 1)
    return response
