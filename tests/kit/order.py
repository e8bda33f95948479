"""Which way imports point: between the rooms of the package, and between the parts of each room."""

from __future__ import annotations

from typing import Final

# What each room may import of the others. "" is the package's face, which re-exports the bindings.
ROOMS: Final[dict[str, tuple[str, ...]]] = {
    "model": (),
    "functions": ("model",),
    "http": ("model",),
    "service": ("model", "http"),
    "host": ("model", "http", "functions"),
    "observe": ("model",),
    "server": ("model", "http", "functions", "service", "host", "observe"),
    "cli": ("model", "http", "functions", "service", "host", "observe", "server"),
    "testing": ("model", "http", "functions", "service", "host", "observe", "server"),
    "": ("model", "functions"),
    "__main__": ("cli",),
}

# The stairs of each room, the lowest first. A part (a folder directly in the room, or a file that stands in
# the room itself; `__init__` is the room's face) may import what stands lower, and nothing on its own stair.
# `scripts/structure --order` prints the table that the imports of today would have.
ORDER: Final[dict[str, tuple[str, ...]]] = {
    "cli": ("__init__ commands",),
    "functions": (
        "did_you_mean event_kinds user_function",
        "binding_members host_json",
        "actions_output converter function_json http_response",
        "bindings",
        "adapter",
        "checks",
        "declared_bindings decorators",
        "function_app typed",
        "__init__",
    ),
    "host": (
        "bodies converters dotnet",
        "expressions settings",
        "azure",
        "function storage",
        "running",
        "timers",
        "bindings",
        "keys webhook",
        "http",
        "loading",
        "admin",
        "host",
        "__init__",
    ),
    "http": (
        "asgi chunked door errors exchange heads",
        "places server_state urls",
        "client protocol",
        "__init__ server",
    ),
    "model": (
        "__init__ carried errors http logs",
        "json_file metadata mqtt names protobuf",
        "payload",
        "send_actions states",
        "events",
        "access mqtt_events",
        "actions event_json",
        "ports rest",
        "cloudevents trace",
    ),
    "observe": ("__init__ logs",),
    "server": (
        "__init__ ending overview tls",
        "descriptors options serving",
        "process",
        "embedded",
        "addresses in_process standalone",
        "child served_app",
        "reload workers",
        "run",
    ),
    "service": (
        "__init__ filters keep_alive notices protocols",
        "hub protobuf_messages settings",
        "events limits own_keys settings_file",
        "service",
        "admission rest",
        "websocket",
    ),
}
