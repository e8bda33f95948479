"""Access keys: made, kept and looked up as the Functions host does.

A key opens what its place tells: the master key everything, a function's keys that function, the host's
function keys every function, a system key one extension's webhook.

Source: Python spec, section 6, "auth levels", "extension webhooks" and ``AzureWebJobsStorage``.
"""

from webpubsub.host.keys.file import FUNCTION, HOST_FUNCTIONS, MASTER, MASTER_NAME, SYSTEM, KeyFile, make_key
from webpubsub.host.keys.store import KeyPlace, KeyStore

__all__ = [
    "FUNCTION",
    "HOST_FUNCTIONS",
    "MASTER",
    "MASTER_NAME",
    "SYSTEM",
    "KeyFile",
    "KeyPlace",
    "KeyStore",
    "make_key",
]
