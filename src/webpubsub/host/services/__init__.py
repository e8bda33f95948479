"""The Web PubSub services an app talks to."""
