"""The webhook of Azure Web PubSub, hand-written with FastAPI; under uvicorn with uvloop and httptools.

With a file behind the port, a certificate with its key, it speaks https.
"""

import sys
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import PlainTextResponse
from signatures import is_signed

app = FastAPI()


def event_name(
    hub: Annotated[str, Header(alias="ce-hub")],
    name: Annotated[str, Header(alias="ce-eventName")],
    kind: Annotated[str, Header(alias="ce-type")],
    connection_id: Annotated[str, Header(alias="ce-connectionId")],
    signature: Annotated[str, Header(alias="ce-signature")],
    user_id: Annotated[str | None, Header(alias="ce-userId")] = None,
) -> str:
    """Read the attributes of the CloudEvent."""
    if not is_signed(connection_id, signature):
        raise HTTPException(401)
    if hub != "bench" or kind != f"azure.webpubsub.user.{name}":
        raise HTTPException(404)
    return name


async def event_text(request: Request) -> str:
    """Read its data."""
    return (await request.body()).decode()


EventName = Annotated[str, Depends(event_name)]
EventText = Annotated[str, Depends(event_text)]


@app.post("/async", response_class=PlainTextResponse)
async def message_async(name: EventName, text: EventText) -> str:
    return "ack"


@app.post("/sync", response_class=PlainTextResponse)
def message_sync(name: EventName, text: EventText) -> str:
    return "ack"


if __name__ == "__main__":
    port, certificate = (*sys.argv[1:], None)[:2]
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        access_log=False,
        log_level="warning",
        ssl_certfile=certificate,
    )
