"""What one writes without a service: an API with FastAPI that sends to WebSocket clients of its process."""

import hmac
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

KEY = os.environ["ACCESS_KEY"]

app = FastAPI()
everyone: set[WebSocket] = set()
users: dict[str, set[WebSocket]] = defaultdict(set)
groups: dict[str, set[WebSocket]] = defaultdict(set)


async def authorized_text(
    request: Request, authorization: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> str:
    if not hmac.compare_digest(authorization.credentials, KEY):
        raise HTTPException(401)
    return (await request.body()).decode()


Text = Annotated[str, Depends(authorized_text)]


async def send(clients: Iterable[WebSocket], text: str) -> Response:
    for client in list(clients):
        await client.send_text(text)
    return Response(status_code=202)


@app.post("/send")
async def send_to_all(text: Text) -> Response:
    return await send(everyone, text)


@app.post("/users/{user}/send")
async def send_to_user(user: str, text: Text) -> Response:
    return await send(users[user], text)


@app.post("/groups/{group}/send")
async def send_to_group(group: str, text: Text) -> Response:
    return await send(groups[group], text)


@app.websocket("/connect")
async def connect(client: WebSocket, user: str, group: str = "") -> None:
    await client.accept()
    places = (everyone, users[user], groups[group])
    for place in places:
        place.add(client)
    try:
        while True:
            await client.receive()
    except (WebSocketDisconnect, RuntimeError):  # RuntimeError: receive() after the client went
        for place in places:
            place.discard(client)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=False,
        log_level="warning",
        ws_per_message_deflate=False,
    )
