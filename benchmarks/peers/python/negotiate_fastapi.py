"""URLs for clients, by Azure's own SDK under FastAPI."""

import os
import sys

import uvicorn
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()
service = WebPubSubServiceClient.from_connection_string(
    f"Endpoint=http://localhost:8080;AccessKey={os.environ['ACCESS_KEY']};Version=1.0;", hub="bench"
)


@app.get("/negotiate", response_class=PlainTextResponse)
async def negotiate(userId: str) -> str:  # as Azure's clients call it
    access = await service.get_client_access_token(user_id=userId)
    return access["url"]


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
