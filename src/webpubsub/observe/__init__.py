"""Listeners of the trace: what people see of a message."""
