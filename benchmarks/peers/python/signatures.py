"""Who sent an event: the check that every webhook of Azure Web PubSub has to make."""

import hmac
import os

KEY = os.environ["ACCESS_KEY"].encode()


def is_signed(connection_id: str, signature: str) -> bool:
    """Whether one of the signatures, one for each key of the service, is made with our key."""
    expected = "sha256=" + hmac.digest(KEY, connection_id.encode(), "sha256").hex()
    return any(hmac.compare_digest(given, expected) for given in signature.split(","))
