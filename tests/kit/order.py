"""Which way imports point: between the rooms of the package, and between the parts of each room."""

from __future__ import annotations

from typing import Final

# What each room may import of the others. "" is the package's face, which re-exports the bindings.
ROOMS: Final[dict[str, tuple[str, ...]]] = {
    "model": (),
    "functions": ("model",),
    "http": ("model",),
    "http_client": ("model",),
    "service": ("model", "http", "http_client"),
    "host": ("model", "http", "http_client", "functions"),
    "observe": ("model",),
    "server": ("model", "http", "http_client", "functions", "service", "host", "observe"),
    "cli": ("model", "http", "http_client", "functions", "service", "host", "observe", "server"),
    "testing": ("model", "http", "http_client", "functions", "service", "host", "observe", "server"),
    "": ("model", "functions"),
    "__main__": ("cli",),
}

# The stairs of each room, the lowest first. A part (a folder directly in the room, or a file that stands in
# the room itself; `__init__` is the room's face) may import what stands lower, and nothing on its own stair.
# `scripts/structure --order` prints the table that the imports of today would have.
ORDER: Final[dict[str, tuple[str, ...]]] = {
    "cli": (
        "ending event_handlers garbage guarded_http logs overview tls token",
        "fast_lane options",
        "serving",
        "embedded",
        "addresses in_process service",
        "child start",
        "reload workers",
        "app",
        "__init__",
    ),
    "functions": (
        "data_json did_you_mean events json_file user_function",
        "action_json function_json members request_json response_json",
        "actions http_response input_json trigger_bytes",
        "bindings converter host_json",
        "adapter",
        "checks",
        "declared_bindings decorators",
        "app typed",
        "__init__",
    ),
    "host": (
        "dotnet_format",
        "expressions",
        "settings",
        "services",
        "function",
        "running",
        "storage",
        "timers",
        "bindings",
        "webhook",
        "keys",
        "http",
        "loading",
        "admin",
        "asgi",
        "__init__",
    ),
    "http_client": (
        "deadlines errors",
        "response urls",
        "connection",
        "pool",
        "__init__",
    ),
    "model": (
        "__init__ credentials errors headers json_place loopback trace",
        "mqtt_codes",
        "mqtt",
        "connection_string metadata mqtt_json names protobuf",
        "payload rest_questions signature",
        "jws send_actions states",
        "actions events",
        "mqtt_events ports presence_events rest_parameters tokens",
        "event_json issued_tokens rest",
        "cloudevents",
        "fast_lane upstream",
    ),
    "service": (
        "__init__ event_calls frames group_presence keep_alive messages numbered patterns",
        "rest_answers rest_bodies rest_head url_templates waiting_requests",
        "event_handlers held permissions protocols unacked",
        "connection handshake settings",
        "audience connection_pages effects endpoints filters settings_file upstream",
        "delivery hub rest_targets settings_watch",
        "recovery requests",
        "service",
        "rest_api websocket",
    ),
}
