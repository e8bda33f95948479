"""``host.json``, ``local.settings.json`` and the environment.

Source: Functions host and Core Tools behaviour, Python spec, section 6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Final

import msgspec

from webpubsub.host.environment import Environment
from webpubsub.host.json_file import JsonFile
from webpubsub.model.errors import ConfigurationError

__all__ = ["HostSettings", "export_values"]

_ROUTE_PREFIX: Final = "AzureFunctionsJobHost:extensions:http:routePrefix"
_SCRIPT_FILE: Final = "PYTHON_SCRIPT_FILE_NAME"
_NOT_IN_ENVIRONMENT: Final = re.compile("[\0\ud800-\udfff]")


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is set about one function app.

    Attributes:
        app_dir: The app's folder.
        script_file: The file that defines the functions.
        route_prefix: First part of every HTTP function's path, without slashes; may be empty.
        cors_origins: Origins whose browsers may call HTTP functions; ``*`` is any.
        cors_credentials: Whether they may send cookies.
        local_http_port: The port to listen on, or None when not set.
        environment: App settings: the environment over the ``Values`` of ``local.settings.json``.
        values: Those ``Values`` that the environment does not set; see `export_values`.
    """

    app_dir: Path
    script_file: str = "function_app.py"
    route_prefix: str = "api"
    cors_origins: tuple[str, ...] = ()
    cors_credentials: bool = False
    local_http_port: int | None = None
    environment: Environment = msgspec.field(default_factory=Environment)
    values: Mapping[str, str] = msgspec.field(default_factory=dict)

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
        prefix = host.get("extensions", "http", "routePrefix", kind=str, default="api")
        origins, credentials = _cors(local)
        return cls(
            app_dir=app_dir,
            script_file=environment.get(_SCRIPT_FILE) or "function_app.py",
            route_prefix=environment.get(_ROUTE_PREFIX, prefix).strip("/"),
            cors_origins=origins,
            cors_credentials=credentials,
            local_http_port=_port(local),
            environment=environment,
            values=values,
        )


def export_values(settings: HostSettings, environ: MutableMapping[str, str]) -> None:
    """Put ``Values`` into ``environ`` (``os.environ`` for a real start); what is set there stays."""
    for name, value in settings.values.items():
        environ.setdefault(name, value)


def _check_version(host: JsonFile) -> None:
    if host.is_empty:
        return
    version = host.get("version", kind=str, default=None)
    if version != "2.0":
        found = "none" if version is None else f"'{version}'"
        raise ConfigurationError(f"{host.path}:1:1: 'version' must be '2.0', found {found}")


def _values(local: JsonFile) -> Mapping[str, str]:
    values = local.strings("Values")
    for name, value in values.items():
        if not name or "=" in name or _NOT_IN_ENVIRONMENT.search(name + value):
            expected = "what an environment variable can be: a name without '=', text without NUL"
            raise local.problem(("Values", name), expected, value)
    return values


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
