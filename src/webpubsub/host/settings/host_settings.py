"""``host.json``, ``local.settings.json`` and the environment.

Source: Functions host and Core Tools behaviour, Python spec, section 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from webpubsub.host.settings.environment import Environment
from webpubsub.host.settings.host_id import find_host_id
from webpubsub.host.settings.host_options import HostOptions
from webpubsub.host.settings.http_options import HttpOptions, read_members
from webpubsub.host.settings.retry import RetryPolicy, parse_retry
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import CallBounds
from webpubsub.model.json_file import JsonFile
from webpubsub.model.logs.levels import LOG_LEVELS, LogLevels

_LOG_LEVEL: Final = ("logging", "logLevel")
_EXTENSION: Final = "AzureFunctionsJobHost:extensions:webpubsub"
_EXTENSION_OPTIONS: Final = {"hub": "WebPubSubHub", "connectionString": "WebPubSubConnectionString"}
_HALF_AN_HOUR: Final = 1800.0
_NO_LIMIT: Final = timedelta(days=-1)  # how .NET reads "-1"
_CONNECTION_STRINGS: Final = "connectionstrings:"
_SCRIPT_FILE: Final = "PYTHON_SCRIPT_FILE_NAME"
_NOT_IN_ENVIRONMENT: Final = re.compile("[\0\ud800-\udfff]")


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is set about one function app.

    Attributes:
        app_dir: The app's folder.
        script_file: The file that defines the functions.
        http: How HTTP functions are served.
        calls: How services are called.
        function_timeout: After how many seconds a function is given up; None for never.
        retry: What happens after failures of functions that have no policy of their own, or None.
        functions: The only functions to run; empty for all.
        log_levels: From which level on things are logged.
        cors_origins: Origins whose browsers may call HTTP functions; ``*`` is any.
        cors_credentials: Whether they may send cookies.
        local_http_port: The port to listen on, or None when not set.
        local_http_address: The address to listen on, or None when not set.
        host_id: What names this app in a storage account; see `find_host_id`.
        environment: App settings: the environment over the ``Values`` of ``local.settings.json``.
        values: Those ``Values`` and ``ConnectionStrings`` that the environment does not set; see
            `export_values`.
        warnings: What works here, but would better not be left so.
    """

    app_dir: Path
    script_file: str = "function_app.py"
    http: HttpOptions = HttpOptions()
    calls: CallBounds = CallBounds()
    function_timeout: float | None = _HALF_AN_HOUR
    retry: RetryPolicy | None = None
    functions: tuple[str, ...] = ()
    log_levels: LogLevels = LogLevels()
    cors_origins: tuple[str, ...] = ()
    cors_credentials: bool = False
    local_http_port: int | None = None
    local_http_address: str | None = None
    host_id: str = "local"
    environment: Environment = msgspec.field(default_factory=Environment)
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def route_prefix(self) -> str:
        """First part of every HTTP function's path, without slashes; may be empty."""
        return self.http.route_prefix

    @classmethod
    def load(cls, app_dir: Path, environ: Mapping[str, str]) -> HostSettings:
        """Read the settings of the app in ``app_dir``.

        Nothing is written to ``environ``: user code that reads ``os.environ`` needs `export_values` too.

        Raises:
            ConfigurationError: A file cannot be read, or a value is not what it must be; the text starts
                with ``file:line:column``.
        """
        app_dir = app_dir.resolve()
        if not app_dir.is_dir():
            raise ConfigurationError(f"{app_dir} is not a folder: expected the folder of a function app")
        local = JsonFile(app_dir / "local.settings.json")
        host = JsonFile(app_dir / "host.json")
        _check_version(host)
        if local.get("IsEncrypted", kind=bool, default=False):
            raise ConfigurationError(
                f"{local.path}: 'IsEncrypted' is true, and only the machine's Core Tools can decrypt the "
                "file: run 'func settings decrypt'"
            )
        values = {name: value for name, value in _values(local).items() if name not in environ}
        environment = Environment(values, environ)
        environment = Environment(
            _connection_strings(environment), environment, _extension_options(host, environment)
        )
        options = HostOptions(host, environment)
        origins, credentials = _cors(local)
        return cls(
            app_dir=app_dir,
            script_file=environment.get(_SCRIPT_FILE) or "function_app.py",
            http=HttpOptions.load(options),
            calls=CallBounds(**dict(read_members(options, CallBounds, ("extensions", "webpubsub")))),
            function_timeout=_function_timeout(options),
            retry=_retry(options),
            functions=options.texts("functions"),
            log_levels=load_log_levels(options),
            cors_origins=origins,
            cors_credentials=credentials,
            local_http_port=_port(local),
            local_http_address=local.get("Host", "LocalHttpAddress", kind=str),
            host_id=find_host_id(environment, app_dir),
            environment=environment,
            values=values,
            warnings=tuple(_warnings(local)),
        )


def export_values(settings: HostSettings, environ: MutableMapping[str, str]) -> None:
    """Put ``Values`` into ``environ`` (``os.environ`` for a real start); what is set there stays."""
    for name, value in settings.values.items():
        environ.setdefault(name, value)


def export_place(app_dir: Path, url: str, environ: MutableMapping[str, str]) -> None:
    """Tell the app in ``environ`` where it runs, as Core Tools do; what is set there stays.

    Args:
        app_dir: The app's folder.
        url: Where it is served, without path.
        environ: ``os.environ`` for a real start.
    """
    environ.setdefault("WEBSITE_HOSTNAME", urlsplit(url).netloc)
    environ.setdefault("AzureWebJobsScriptRoot", str(app_dir.resolve()))
    environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")


def _check_version(host: JsonFile) -> None:
    if host.is_empty:
        return
    version = host.get("version", kind=str, default=None)
    if version != "2.0":
        found = "none" if version is None else f"'{version}'"
        raise ConfigurationError(f"{host.path}:1:1: 'version' must be '2.0', found {found}")


def _extension_options(host: JsonFile, environment: Environment) -> dict[str, str]:
    """Return the Web PubSub extension's own options, as the app settings that each of them comes before."""
    options = {}
    for option, setting in _EXTENSION_OPTIONS.items():
        found = environment.get(f"{_EXTENSION}:{option}")
        value = found or host.get("extensions", "webpubsub", option, kind=str, default="")
        if value:
            options[setting] = value
    return options


def _function_timeout(options: HostOptions) -> float | None:
    path, example = ("functionTimeout",), "00:05:00"
    span = options.span(*path, example=example)
    if span is None:
        return _HALF_AN_HOUR
    if span == _NO_LIMIT:
        return None
    if span.total_seconds() < 1:
        raise options.problem(
            path, f"a second or more, for example '{example}', or '-1' for no limit", str(span)
        )
    return span.total_seconds()


def _retry(options: HostOptions) -> RetryPolicy | None:
    members = options.members("retry")
    return parse_retry(members) if members else None


def _values(local: JsonFile) -> Mapping[str, str]:
    found = {}
    for section, prefix in ("ConnectionStrings", "ConnectionStrings:"), ("Values", ""):
        for name, value in local.strings(section).items():
            if not name or "=" in name or _NOT_IN_ENVIRONMENT.search(name + value):
                expected = "what an environment variable can be: a name without '=', text without NUL"
                raise local.problem((section, name), expected, value)
            found[f"{prefix}{name}"] = value
    return found


def _connection_strings(environment: Environment) -> dict[str, str]:
    """Return the members of the section ``ConnectionStrings``: a ``connection`` names them without it."""
    return {
        name.removeprefix(_CONNECTION_STRINGS): value
        for name, value in environment.items()
        if name.startswith(_CONNECTION_STRINGS)
    }


def _warnings(local: JsonFile) -> Iterator[str]:
    if local.strings("Values") and local.get("IsEncrypted", kind=bool) is None:
        yield (
            f"{local.path} has no 'IsEncrypted', which is true when it is absent: Azure Functions Core Tools "
            'would try to decrypt the values; add "IsEncrypted": false'
        )


def _port(local: JsonFile) -> int | None:
    port: int | None = local.get("Host", "LocalHttpPort", kind=int)
    if port is not None and not 0 <= port <= 65535:
        raise local.problem(("Host", "LocalHttpPort"), "a port from 0 to 65535", port)
    return port


def _cors(local: JsonFile) -> tuple[tuple[str, ...], bool]:
    text: str = local.get("Host", "CORS", kind=str, default="")
    credentials: bool = local.get("Host", "CORSCredentials", kind=bool, default=False)
    origins = tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())
    if credentials and "*" in origins:
        raise ConfigurationError(
            f"{local.path}: 'Host.CORSCredentials' is true and 'Host.CORS' is '*': browsers send "
            "credentials to named origins only; name them"
        )
    return origins, credentials


def load_log_levels(options: HostOptions) -> LogLevels:
    """Read ``logging.logLevel``.

    Raises:
        ConfigurationError: A level is none.
    """
    levels = {}
    for category, level in options.members(*_LOG_LEVEL).items():
        if level.lower() not in LOG_LEVELS:
            raise options.problem((*_LOG_LEVEL, category), f"one of {', '.join(LOG_LEVELS)}", level)
        levels[category.lower()] = LOG_LEVELS[level.lower()]
    return LogLevels(levels)
