"""A message byte for byte, and whose it is."""

import webpubsub as wps


@wps.typed
def main(request: wps.UserEventRequest, data: bytes) -> bytes:
    assert request.data == data
    return data + (request.connection_context.user_id or "").encode()
