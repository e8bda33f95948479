"""What several functions use."""

GREETING = "hello"
