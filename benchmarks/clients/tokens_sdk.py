"""The same by the official SDK: ``tokens_sdk.py SECONDS``."""

import sys

import calls
from azure.messaging.webpubsubservice import WebPubSubServiceClient

client = WebPubSubServiceClient.from_connection_string(calls.connection_string("8080"), hub=calls.HUB)


def sign(user: str) -> str:
    token: str = client.get_client_access_token(user_id=user, roles=calls.ROLES, groups=calls.GROUPS)["token"]
    return token


calls.sign_repeatedly(sign, float(sys.argv[1]))
