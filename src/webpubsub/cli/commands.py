"""The commands and their options; each command's work stands in its own module and is imported on use."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from webpubsub import __version__
from webpubsub.model.errors import ConfigurationError, OptionError, WebPubSubError
from webpubsub.model.logs.text import paragraph
from webpubsub.server.ending import end_soon

# In the messages, the variables of options (WEBPUBSUB_START_PORT) and that of completion.
NAME: Final = "webpubsub"

_Function = Callable[..., None]
_PATH: Final = click.Path(path_type=Path)
_PORT: Final = click.IntRange(0, 65535)
_AT_LEAST_ONE: Final = click.IntRange(1)
_HANDLER: Final = "HUB=URL_TEMPLATE"


class _Command(click.Command):
    def invoke(self, ctx: click.Context) -> Any:
        """Run it; an option that the server refuses is told as one that click refuses."""
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise click.BadParameter(error.problem, ctx, param_hint=[error.option]) from error


class _Group(click.Group):
    command_class = _Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List them as they stand here: what most people look for first."""
        return list(self.commands)


@click.group(
    NAME,
    cls=_Group,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": NAME.upper(),
        "show_default": True,
    },
    epilog="""\b
Examples:
  webpubsub start examples/simplechat
  webpubsub service --event-handler chat=http://localhost:3000/eventhandler
  webpubsub token --hub chat --user alice

Each option of a command can also be given by an environment variable:
WEBPUBSUB_START_PORT is --port of start.
""",
)
# A variable of this name is likely to hold a version, not to ask for one.
@click.version_option(__version__, message="%(prog)s %(version)s", allow_from_autoenv=False)
def command() -> None:
    """Run Azure Functions apps for Web PubSub, and a Web PubSub service, on this machine."""


def _allowed(option: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    from webpubsub.http.door import allowed_host, allowed_origin

    check = allowed_host if option == "--allow-host" else allowed_origin
    try:
        return tuple(map(check, texts))
    except ConfigurationError as error:
        raise OptionError(option, str(error)) from error


def _common(function: _Function) -> _Function:
    """Add the options that ``start`` and ``service`` share."""
    for option in reversed(
        (
            click.option(
                "--insecure-default-key",
                is_flag=True,
                help="Listen beyond this machine with the public default key.",
            ),
            click.option(
                "--allow-host",
                multiple=True,
                metavar="NAME",
                help="Also take requests for this host, or '*' for any, where only this machine can connect; "
                "repeatable.",
            ),
            click.option(
                "--allow-origin",
                multiple=True,
                metavar="ORIGIN",
                help="Also take requests of this site's pages, such as https://app.example, or '*' for any, "
                "where only this machine can connect; repeatable.",
            ),
            click.option(
                "--ssl-certfile",
                type=_PATH,
                metavar="FILE",
                help="Speak https and wss, with the certificate of this PEM file.",
            ),
            click.option(
                "--ssl-keyfile", type=_PATH, metavar="FILE", help="The certificate's private key, in PEM."
            ),
            click.option(
                "--log-format",
                type=click.Choice(["text", "json"]),
                default="text",
                help="How logs are written on stderr.",
            ),
            click.option(
                "--verbose",
                is_flag=True,
                help="Also log what succeeds: every event, action and request.",
            ),
        )
    ):
        function = option(function)
    return function


@command.command(
    epilog="""\b
Examples:
  webpubsub start
  webpubsub start examples/simplechat --reload
  webpubsub start --port 0 --service-port 0 --log-format json
  webpubsub start --no-service --workers 4 --host 0.0.0.0 --auth
"""
)
@click.argument("app_dir", type=_PATH, default=".")
@click.option(
    "--host", metavar="ADDRESS", help="Address to listen on. Default 127.0.0.1, or LocalHttpAddress."
)
@click.option(
    "--port",
    type=_PORT,
    metavar="PORT",
    help="Port of the functions; 0 takes any free one. Default 7071, or LocalHttpPort.",
)
@click.option(
    "--service-port",
    type=_PORT,
    metavar="PORT",
    help="Port of the embedded service; 0 takes any free one. Default 8080.",
)
@click.option("--service/--no-service", default=True, help="Whether to run the embedded service.")
@click.option(
    "--event-handler",
    multiple=True,
    metavar=_HANDLER,
    help="Send the events of a hub that no trigger takes to a URL, such as chat=/api/{event} for HTTP "
    "functions of the app; repeatable.",
)
@click.option("--functions", multiple=True, metavar="NAME,...", help="Run only these functions; repeatable.")
@click.option(
    "--reload", is_flag=True, help="Start the app anew when its files change; clients stay connected."
)
@click.option(
    "--in-process", is_flag=True, help="Join app and embedded service without HTTP between them: faster."
)
@click.option(
    "--workers",
    type=_AT_LEAST_ONE,
    metavar="N",
    help="Run the app in so many processes, for a service that is not embedded.",
)
@click.option(
    "--auth", is_flag=True, help="Ask for keys, as Azure does: of functions, /admin and the webhook."
)
@click.option("--strict", is_flag=True, help="Exit with 1 when a function cannot run or is open to anybody.")
@_common
def start(
    *,
    app_dir: Path,
    host: str | None,
    port: int | None,
    service_port: int | None,
    service: bool,
    event_handler: tuple[str, ...],
    functions: tuple[str, ...],
    reload: bool,
    in_process: bool,
    workers: int | None,
    auth: bool,
    strict: bool,
    insecure_default_key: bool,
    allow_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
    ssl_certfile: Path | None,
    ssl_keyfile: Path | None,
    log_format: str,
    verbose: bool,
) -> None:
    """Run a function app, with a Web PubSub service for it.

    APP_DIR is the folder of the app, by default this one. The service is embedded when the app's connection
    string is absent or points at this machine.
    """
    from webpubsub.server.options import StartOptions
    from webpubsub.server.run import run_start
    from webpubsub.server.tls import Tls

    options = StartOptions(
        app_dir=app_dir,
        host=host,
        port=port,
        service_port=service_port,
        with_service=service,
        event_handlers=event_handler,
        functions=tuple(name for names in functions for name in names.replace(",", " ").split()),
        auth=auth,
        strict=strict,
        insecure_default_key=insecure_default_key,
        allowed_hosts=_allowed("--allow-host", allow_host),
        allowed_origins=_allowed("--allow-origin", allow_origin),
        log_format=log_format,
        verbose=verbose,
        reload=reload,
        workers=workers,
        in_process=in_process,
        tls=Tls.of_options(ssl_certfile, ssl_keyfile),
    )
    run_start(options)


@command.command(
    epilog="""\b
Examples:
  webpubsub service
  webpubsub service --event-handler chat=http://localhost:3000/eventhandler
  webpubsub service --host 0.0.0.0 --settings service.json --access-key "$(openssl rand -hex 32)"
"""
)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port", type=_PORT, default=8080, metavar="PORT", help="Port to listen on; 0 takes any free one."
)
@click.option(
    "--settings",
    type=_PATH,
    metavar="FILE",
    help="Service settings file (JSON); edits are used while it runs.",
)
@click.option(
    "--event-handler", multiple=True, metavar=_HANDLER, help="Send all events of a hub to a URL; repeatable."
)
@click.option(
    "--access-key",
    envvar="WEBPUBSUB_ACCESS_KEY",
    show_envvar=True,
    metavar="KEY",
    help="Primary access key. Default: the emulator's.",
)
@click.option(
    "--secondary-key",
    envvar="WEBPUBSUB_SECONDARY_KEY",
    show_envvar=True,
    metavar="KEY",
    help="Secondary access key.",
)
@click.option(
    "--strict-api-version",
    is_flag=True,
    help="Refuse REST requests of an api-version newer than the newest known here, as Azure does.",
)
@_common
def service(
    *,
    host: str,
    port: int,
    settings: Path | None,
    event_handler: tuple[str, ...],
    access_key: str | None,
    secondary_key: str | None,
    strict_api_version: bool,
    insecure_default_key: bool,
    allow_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
    ssl_certfile: Path | None,
    ssl_keyfile: Path | None,
    log_format: str,
    verbose: bool,
) -> None:
    """Run a Web PubSub service alone."""
    from webpubsub.server.standalone import ServiceOptions, run_service
    from webpubsub.server.tls import Tls

    options = ServiceOptions(
        host=host,
        port=port,
        settings=settings,
        event_handlers=event_handler,
        access_key=access_key,
        secondary_key=secondary_key,
        insecure_default_key=insecure_default_key,
        allowed_hosts=_allowed("--allow-host", allow_host),
        allowed_origins=_allowed("--allow-origin", allow_origin),
        strict_api_version=strict_api_version,
        log_format=log_format,
        verbose=verbose,
        tls=Tls.of_options(ssl_certfile, ssl_keyfile),
    )
    run_service(options)


@command.command(
    epilog="""\b
Examples:
  webpubsub token --hub chat
  webpubsub token --hub chat --user alice --role webpubsub.sendToGroup --group room --minutes 5
"""
)
@click.option("--hub", required=True, metavar="HUB", help="Hub to connect to.")
@click.option("--user", metavar="ID", help="User id; without it the client is anonymous.")
@click.option("--role", multiple=True, metavar="ROLE", help="Role, e.g. webpubsub.sendToGroup; repeatable.")
@click.option("--group", multiple=True, metavar="GROUP", help="Group to join at once; repeatable.")
@click.option("--minutes", type=_AT_LEAST_ONE, default=60, metavar="N", help="How long the token is valid.")
@click.option(
    "--connection",
    envvar="WebPubSubConnectionString",
    show_envvar=True,
    metavar="STRING",
    help="Connection string. Default: the local service's.",
)
def token(
    *,
    hub: str,
    user: str | None,
    role: tuple[str, ...],
    group: tuple[str, ...],
    minutes: int,
    connection: str | None,
) -> None:
    """Print the URL with which a client connects."""
    from webpubsub.model.access.connection_string import DEFAULT_CONNECTION, ConnectionString
    from webpubsub.model.access.tokens import client_access
    from webpubsub.model.names import parse_group_name, parse_hub_name

    access = client_access(
        ConnectionString.parse(connection) if connection else DEFAULT_CONNECTION,
        parse_hub_name(hub),
        now=time.time(),
        expires_after=60.0 * minutes,
        user_id=user,
        roles=role,
        groups=[parse_group_name(name) for name in group],
    )
    click.echo(access.url)


def run() -> None:
    """Run the command; exit codes: 0 done, 1 the app or its settings are wrong, 2 usage."""
    try:
        command(prog_name=NAME)
    except WebPubSubError as error:
        sys.stderr.write(f"{NAME}: {paragraph(error)}\n")
        end_soon(1)  # the app may have been imported and started threads before it failed
        sys.exit(1)
