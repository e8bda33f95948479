"""The one exception tree.

::

    WebPubSubError
    ├── UsageError                 your code: a value or a call that can never work
    │   ├── InvalidName            a hub, group, user, connection or event name outside its rules
    │   ├── InvalidData            a payload that does not fit its data type
    │   └── OptionError            an option of a command that cannot be used as it was given
    ├── ConfigurationError         your settings: connection strings, host.json, function definitions
    │   ├── ConnectionStringError
    │   ├── FunctionError          a function that cannot be indexed, with its name, file and line
    │   └── FunctionErrors         all of them in one app
    ├── PeerError                  the other side of a socket broke a rule; carries the status to answer with
    │   ├── CloudEventError        an event request whose headers or body cannot be read
    │   ├── RestError              a REST request the service refuses, with its error code and target
    │   ├── TokenError             a token that is missing, forged, expired or meant for another audience
    │   └── ProtocolError          a WebSocket frame outside the protocol; carries the close code
    ├── RefusedError               the other side understood and said no
    │   ├── EventRefused           the event handler refused an event, or could not be reached
    │   └── ActionRefused          the service refused an action
    ├── HttpCallError              a call of ours without an answer (`webpubsub.http`); its callers say
    │                              what that means to them: EventRefused, ActionRefused
    ├── StorageError               what the host remembers could not be read or written
    └── FunctionTimeout            a function that ran longer than it may

Attributes hold the facts; the sentence is composed when the exception is shown.
"""

from __future__ import annotations

__all__ = [
    "ActionRefused",
    "CloudEventError",
    "ConfigurationError",
    "ConnectionStringError",
    "EventRefused",
    "FunctionError",
    "FunctionErrors",
    "FunctionTimeout",
    "InvalidData",
    "InvalidName",
    "OptionError",
    "PeerError",
    "ProtocolError",
    "RefusedError",
    "RestError",
    "StorageError",
    "TokenError",
    "UsageError",
    "WebPubSubError",
]


class WebPubSubError(Exception):
    """Base of every exception this package raises on purpose."""


class UsageError(WebPubSubError, ValueError):
    """A value or a call in the caller's own code that can never work."""


# What `InvalidName.kind` is called in a sentence; any other kind is called what it is.
_CALLED = {
    "hub": "hub name",
    "group": "group name",
    "event": "event name",
    "user": "user id",
    "connection": "connection id",
}


class InvalidName(UsageError):
    """A name outside its rules.

    Attributes:
        kind: What was named: ``hub``, ``group``, ``user``, ``connection``, ``event``, or a parameter.
        value: The value that was given.
        rule: The rule in words.
    """

    def __init__(self, kind: str, value: object, rule: str) -> None:
        super().__init__(kind, value, rule)
        self.kind = kind
        self.value = value
        self.rule = rule

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 80:
            shown = f"{shown[:77]}..."
        return f"{shown} is not a valid {_CALLED.get(self.kind, self.kind)}: expected {self.rule}"


class InvalidData(UsageError):
    """A payload that does not fit its data type."""


class OptionError(UsageError):
    """An option of a command that cannot be used as it was given.

    Attributes:
        option: As it is typed: ``--workers``.
        problem: Why, and what would do.
    """

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(option, problem)
        self.option = option
        self.problem = problem

    def __str__(self) -> str:
        return f"Invalid value for {self.option}: {self.problem}"


class ConfigurationError(WebPubSubError):
    """A setting, a file or a definition that cannot be used as it is."""


class ConnectionStringError(ConfigurationError):
    """A connection string that cannot be used; never shows the access key."""


class FunctionError(ConfigurationError):
    """A function that cannot be indexed.

    Attributes:
        function: The function's name.
        where: ``file:line`` of its definition.
        problem: What is wrong: expected, found, and the fix.
    """

    def __init__(self, function: str, where: str, problem: str) -> None:
        super().__init__(function, where, problem)
        self.function = function
        self.where = where
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.where}: function '{self.function}': {self.problem}"


class FunctionErrors(ConfigurationError):
    """Every problem of an app's functions, one a line.

    Attributes:
        errors: The problems.
    """

    def __init__(self, *errors: FunctionError) -> None:
        super().__init__(*errors)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class PeerError(WebPubSubError):
    """The peer broke a rule; ``status`` is the HTTP status to answer with."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return self.message


class CloudEventError(PeerError):
    """An event request whose headers or body cannot be read as a Web PubSub CloudEvent."""


class TokenError(PeerError):
    """A token that is missing, forged, expired or meant for another audience: 401."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=401)


class RestError(PeerError):
    """A REST request the service refuses.

    Attributes:
        status: HTTP status.
        code: Azure's error code, for example ``Error.BadRequest``; sent as ``x-ms-error-code`` too.
        target: The parameter at fault, or ``Request``.
    """

    def __init__(self, status: int, code: str, message: str, target: str = "Request") -> None:
        super().__init__(message, status=status)
        self.code = code
        self.target = target


class ProtocolError(PeerError):
    """A WebSocket frame or message outside the protocol; ``close_code`` ends the connection."""

    def __init__(self, close_code: int, message: str) -> None:
        super().__init__(message)
        self.close_code = close_code


class RefusedError(WebPubSubError):
    """The other side understood the request and said no; ``status`` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} (status {self.status})"


class EventRefused(RefusedError):
    """The event handler refused an event, failed, or could not be reached.

    Attributes:
        mqtt: What to tell the MQTT client whose event it was, a `webpubsub.MqttEventErrorResponse`; None for
            any other client, and where nobody has said.
        attempts: How often it was sent.
    """

    def __init__(self, status: int, message: str, mqtt: object = None) -> None:
        super().__init__(status, message)
        self.mqtt = mqtt
        self.attempts = 1


class ActionRefused(RefusedError):
    """The service refused an action or a question, or could not be reached."""


class StorageError(WebPubSubError):
    """What the host remembers between runs (``AzureWebJobsStorage``) could not be read or written."""


class FunctionTimeout(WebPubSubError):
    """A function that ran longer than ``functionTimeout`` in host.json allows.

    Attributes:
        function: The function's name.
        invocation: The id of the call.
        limit: How long it may run, as .NET shows a time span.
        goes_on: Whether it cannot be stopped and still runs.
    """

    def __init__(self, function: str, invocation: str, limit: str, *, goes_on: bool) -> None:
        super().__init__(function, invocation, limit)
        self.function = function
        self.invocation = invocation
        self.limit = limit
        self.goes_on = goes_on

    def __str__(self) -> str:
        consequence = (
            "It runs in a thread, which cannot be stopped: it goes on, and nobody waits for it."
            if self.goes_on
            else "It was cancelled."
        )
        return (
            f"Timeout value of {self.limit} exceeded by function '{self.function}' (Id: "
            f"'{self.invocation}'). {consequence}"
        )
