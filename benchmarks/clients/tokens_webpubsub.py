"""Tokens of clients as bindings sign them: ``tokens_webpubsub.py SECONDS``."""

import sys
import time

import calls

from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.tokens import client_access

connection = ConnectionString.parse(calls.connection_string("8080"))


def sign(user: str) -> str:
    now = time.time()
    access = client_access(
        connection, calls.HUB, now=now, user_id=user, roles=calls.ROLES, groups=calls.GROUPS
    )
    return access.access_token


calls.sign_repeatedly(sign, float(sys.argv[1]))
