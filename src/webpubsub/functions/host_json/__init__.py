"""The host's JSON, both ways, in one place.

Reading takes text, bytes, parsed JSON or the value itself, and names in any case; writing gives the
extension's own form member by member, so that untyped functions see what Azure shows them.

Source: extension spec, sections 4 to 8.
"""

from webpubsub.functions.host_json.action_json import decode_actions, encode_actions, read_actions
from webpubsub.functions.host_json.input_json import (
    decode_connection,
    decode_context,
    encode_connection,
    encode_context,
)
from webpubsub.functions.host_json.request_json import decode_request, encode_request
from webpubsub.functions.host_json.response_json import decode_response, encode_response

__all__ = [
    "decode_actions",
    "decode_connection",
    "decode_context",
    "decode_request",
    "decode_response",
    "encode_actions",
    "encode_connection",
    "encode_context",
    "encode_request",
    "encode_response",
    "read_actions",
]
