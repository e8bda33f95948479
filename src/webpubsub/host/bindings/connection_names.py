"""The ``connections`` member of triggers and upstream contexts: who may send events.

Source: extension spec, sections 1.1 and 1.4.
"""

from __future__ import annotations

from webpubsub.host.function import Binding
from webpubsub.host.services.connections import DEFAULT_CONNECTION, Connections
from webpubsub.model.errors import ConfigurationError


def parse_connection_names(binding: Binding, connections: Connections) -> tuple[str, ...]:
    """Return the names of a binding's connections, as written: they are not templates.

    ``connections`` is used exclusively; the older ``connection`` counts without it, and the default one
    without both. There are none when the default one does not exist either: then anybody may send events.

    Raises:
        ConfigurationError: ``connections`` is no list of names.
    """
    names = binding.get("connections") or [name for name in [binding.get("connection")] if name]
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError(f"'connections' is {names!r}: expected a list of setting names")
    if names:
        return tuple(names)
    return (DEFAULT_CONNECTION,) if DEFAULT_CONNECTION in connections else ()
