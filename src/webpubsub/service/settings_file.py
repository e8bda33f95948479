"""The service's settings file: JSON with the names of Azure's hub settings.

::

    {
      "hubs": {
        "chat": {
          "anonymousConnectPolicy": "deny",
          "webSocketKeepAliveIntervalInSeconds": 20,
          "eventHandlers": [
            {"urlTemplate": "http://localhost:7071/runtime/webhooks/webpubsub?code=...",
             "userEventPattern": "*", "systemEvents": ["connect", "connected", "disconnected"],
             "groupPresenceEvents": {"eventNames": ["joined", "left"], "groupFilters": ["room-*"]}},
            {"urlTemplate": "https://localhost/{hub}/{event}",
             "userEventPattern": "message,ping",
             "auth": {"type": "ManagedIdentity", "managedIdentity": {"resource": "api://chat"}}}
          ]
        }
      },
      "tokenIssuers": [
        {"issuer": "https://sts.example/", "audience": "https://webpubsub.azure.com",
         "key": "-----BEGIN PUBLIC KEY-----..."}
      ],
      "http": {"maxHeadBytes": 65536, "headTimeout": 15, "bodyTimeout": 75, "idleTimeout": 75,
               "maxBodiesBytes": 268435456},
      "calls": {"maxConnections": 128, "maxWaiting": 1000, "waitTimeout": 10},
      "limits": {"clients": 10000, "clientsPerUser": 10, "connectsPerSecond": 100,
                 "messagesPerSecondPerClient": 100, "bytesPerSecondPerClient": 1048576},
      "accessKeys": ["a primary key of 32 characters or more", "and a secondary one"],
      "allowedHosts": ["dev.example"],
      "allowedOrigins": ["https://app.example"],
      "webhookRequestOrigin": "localhost",
      "failedUserEvent": "ack",
      "missingConnectionSend": 202,
      "decodeSlashInSegments": true,
      "requireContentLength": true,
      "validationMode": "onFirstEvent",
      "reliableRecoveryWindowInSeconds": 30,
      "retryDelaysInSeconds": [1, 3, 5],
      "maxMessageBytes": 1048576,
      "maxGroupsPerConnection": 10000,
      "patienceInSeconds": 2,
      "strictApiVersion": false,
      "publicEndpoints": ["https://chat.example"],
      "trustForwardedHeaders": false
    }

Everything may be left out; what it means is told by `HubSettings`, `EventHandlerSettings`,
`Compatibility`, `TokenIssuer`, `HttpBounds`, `CallBounds`, `Limits` and `ServiceSettings`. Keys, tokens, and
codes of event handlers may be in the file: it is for its owner's eyes.

While the service runs a good edit is used at once, a bad one is told and left aside. The file is looked at
when something changes in its folder, which is also how files are replaced as a whole, and twice a second
besides: not every change in mounted folders, or of a file that it is a link to, is told.

Source: service spec, sections D.1 and I.3.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec

from webpubsub.http.door import allowed_host, allowed_origin
from webpubsub.model.access.issued_tokens import TokenIssuer
from webpubsub.model.errors import ConfigurationError, InvalidName
from webpubsub.model.http import CallBounds, HttpBounds
from webpubsub.model.json_file import JsonPath, place
from webpubsub.model.names import HubName, parse_hub_name
from webpubsub.model.trace import SILENT, Name, Phase, Trace
from webpubsub.service.filters import FilterBounds
from webpubsub.service.settings import (
    NO_LIMITS,
    Compatibility,
    HubSettings,
    Limits,
    ServiceSettings,
    origin_problem,
)

_LOOK_MILLISECONDS: Final = 500


_Key = Annotated[str, msgspec.Meta(min_length=1)]


class _File(Compatibility, frozen=True, kw_only=True):
    # Hubs and issuers are converted one by one, as only we can tell where each stands.
    hubs: dict[str, Any] = msgspec.field(default_factory=dict)
    token_issuers: tuple[Any, ...] = ()
    http: HttpBounds = HttpBounds()
    filters: FilterBounds = FilterBounds()
    calls: CallBounds = CallBounds()
    limits: Limits = NO_LIMITS
    # The first signs what the service signs itself; both are taken.
    access_keys: Annotated[tuple[_Key, ...], msgspec.Meta(max_length=2)] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    webhook_request_origin: str = ServiceSettings().origin


_UNUSABLE: Final = "the service settings cannot be used"
_Value = TypeVar("_Value")

# How msgspec ends its sentences about values that do not fit, and what it says of a name too many.
_PATH: Final = " - at `$"
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<number>\d+)\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_SHARED: Final = Compatibility.__struct_fields__


def load_settings(path: Path) -> ServiceSettings:
    """Read a settings file.

    Raises:
        ConfigurationError: It cannot be read, is not JSON, or has something it should not; the text starts
            with ``file:line:column`` where there is one.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: the service settings cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: {_UNUSABLE}: expected UTF-8, found another byte at {error.start}"
        ) from error
    return _Text(text, str(path)).settings()


class _Text:
    """The text of a settings file, and what to call it."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name

    def settings(self) -> ServiceSettings:
        found = self._convert(self._parsed(), (), _File)
        if (problem := origin_problem(found.webhook_request_origin)) is not None:
            raise self._problem(("webhookRequestOrigin",), problem)
        shared = {name: getattr(found, name) for name in _SHARED}
        return ServiceSettings(
            **shared,
            hubs=self._hubs(found.hubs),
            token_issuers=tuple(
                self._convert(value, ("tokenIssuers", number), TokenIssuer)
                for number, value in enumerate(found.token_issuers)
            ),
            http=found.http,
            filters=found.filters,
            calls=found.calls,
            limits=found.limits,
            access_keys=found.access_keys or ServiceSettings().access_keys,
            allowed_hosts=self._checked("allowedHosts", found.allowed_hosts, allowed_host),
            allowed_origins=self._checked("allowedOrigins", found.allowed_origins, allowed_origin),
            origin=found.webhook_request_origin,
        )

    def _checked(self, name: str, texts: Iterable[str], check: Callable[[str], str]) -> tuple[str, ...]:
        checked = []
        for number, text in enumerate(texts):
            try:
                checked.append(check(text))
            except ConfigurationError as error:
                raise self._problem((name, number), str(error)) from error
        return tuple(checked)

    def _parsed(self) -> Any:
        try:
            found = json.loads(self._text, object_pairs_hook=_single)
            json.dumps(found, ensure_ascii=False).encode()  # "\ud800" is half a character, and can go nowhere
            return found
        except json.JSONDecodeError as error:
            where = f"{self._name}:{error.lineno}:{error.colno}"
            raise ConfigurationError(
                f"{where}: {_UNUSABLE}: expected JSON, found a mistake: {error.msg}"
            ) from error
        except (ValueError, RecursionError) as error:  # or a number or a nesting beyond all measure
            raise ConfigurationError(f"{self._name}: {_UNUSABLE}: {error}") from error

    def _hubs(self, found: Mapping[str, Any]) -> dict[HubName, HubSettings]:
        hubs: dict[HubName, HubSettings] = {}
        spellings: dict[HubName, str] = {}
        for spelling, value in found.items():
            path = ("hubs", spelling)
            try:
                name = parse_hub_name(spelling)
            except InvalidName as error:
                raise self._problem(path, str(error)) from error
            if name in hubs:
                raise self._problem(
                    path,
                    f"'{spellings[name]}' and '{spelling}' are one hub, as hub names have no case: put its "
                    "settings together",
                )
            hubs[name], spellings[name] = self._convert(value, path, HubSettings), spelling
            self._check_identity(hubs[name], path)
        return hubs

    def _check_identity(self, hub: HubSettings, path: JsonPath) -> None:
        for number, handler in enumerate(hub.event_handlers):
            if handler.auth is None or handler.auth.type != "ManagedIdentity":
                continue
            if importlib.util.find_spec("azure.identity") is None:
                raise self._problem(
                    (*path, "eventHandlers", number, "auth"),
                    "a token of an identity needs azure-identity, which is not installed: "
                    'pip install "webpubsub[identity]"',
                )

    def _convert(self, value: Any, path: JsonPath, kind: type[_Value]) -> _Value:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            inner, sentence = _split(str(error))
            raise self._problem((*path, *inner), sentence) from error
        except ConfigurationError as error:
            raise self._problem(path, str(error)) from error

    def _problem(self, path: JsonPath, problem: str) -> ConfigurationError:
        line, column = place(self._text, path)
        return ConfigurationError(f"{self._name}:{line}:{column}: {_UNUSABLE}: {problem} (at {_shown(path)})")


def _single(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members, of which JSON would forget all but the last of a name."""
    found = dict(members)
    if len(found) < len(members):
        twice = Counter(name for name, _ in members).most_common(1)[0][0]
        raise ValueError(f"{twice!r} stands twice in one object: put its settings together")
    return found


def _split(text: str) -> tuple[JsonPath, str]:
    """Return the path in a sentence of msgspec, down to a name that should not be there, and the rest."""
    sentence, _, written = text.partition(_PATH)
    if not written.endswith("`"):
        sentence, written = text, ""
    steps = _STEP.finditer(written.removesuffix("`"))
    path = tuple(step["name"] or int(step["number"]) for step in steps)
    unknown = _UNKNOWN.fullmatch(sentence)
    return (path if unknown is None else (*path, unknown["name"])), sentence


def _shown(path: JsonPath) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(steps).lstrip(".") or "the top"


class SettingsWatch:
    """Follows a settings file.

    It is looked at when something changes in its folder, which is also how files are replaced as a whole, and
    twice a second besides: not every change in mounted folders, or of a file that it is a link to, is told.

    Args:
        path: The file.
        settings: What was read from it last.
        use: Gets the settings of each good edit.
        trace: Is told what changed, or why an edit is not used; or None.
    """

    def __init__(
        self,
        path: Path,
        settings: ServiceSettings,
        use: Callable[[ServiceSettings], None],
        *,
        trace: Trace = SILENT,
    ) -> None:
        self._path = path
        self._settings = settings
        self._use = use
        self._trace = trace
        self._seen = _NEVER  # it may have changed since it was read

    async def run(self) -> None:
        """Look at the file again and again until cancelled."""
        async for _ in _changes_in(self._path.parent):
            self.look()

    def look(self) -> None:
        """Use the file if it has changed since the last look."""
        state = _state(self._path)
        if state == self._seen:
            return
        self._seen = state
        try:
            found = load_settings(self._path)
            changed = changes(self._settings, found)
            if changed:
                self._use(found)
        except ConfigurationError as error:
            self._report(Phase.FAILED, f"{error}; the settings before stay in use", error)
            return
        self._settings = found
        if changed:
            self._report(Phase.COMPLETED, f"{self._path}: changed: {', '.join(changed)}")

    def _report(self, phase: Phase, message: str, error: ConfigurationError | None = None) -> None:
        told = None if error is None else ConfigurationError(message)
        self._trace.tell(Name.SETTING, phase, {}, {"message": message}, told)


async def _changes_in(folder: Path) -> AsyncIterator[None]:
    """Return at each change, and at the latest after some time."""
    from watchfiles import awatch  # only a service with a settings file pays for it

    watch = partial(
        awatch,
        folder,
        watch_filter=None,
        recursive=False,
        debounce=_LOOK_MILLISECONDS,
        rust_timeout=_LOOK_MILLISECONDS,
        yield_on_timeout=True,
    )
    try:
        async for _ in watch():
            yield
    except (OSError, RuntimeError):  # the system has no watch left for this user
        async for _ in watch(force_polling=True):
            yield


_State = tuple[int, int, int] | None
_NEVER: Final[_State] = (0, 0, 0)


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def changes(before: ServiceSettings, after: ServiceSettings) -> list[str]:
    """Return which settings differ, without their values, which may hold keys.

    Example:
        >>> changes(ServiceSettings(), ServiceSettings(failed_user_event="close"))
        ['failedUserEvent']
    """
    names = sorted({*before.hubs, *after.hubs})
    hubs = [f"hub {name}" for name in names if before.hubs.get(name) != after.hubs.get(name)]
    fields = msgspec.structs.fields(ServiceSettings)
    return hubs + [
        field.encode_name
        for field in fields
        if field.name != "hubs" and getattr(before, field.name) != getattr(after, field.name)
    ]
