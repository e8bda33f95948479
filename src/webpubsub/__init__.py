"""Real-time serverless apps for Azure Web PubSub in Python."""

__version__ = "0.1.0"
