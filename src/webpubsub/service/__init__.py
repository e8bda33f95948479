"""A Web PubSub service: WebSocket clients, groups, permissions, the REST data plane and event handlers."""
