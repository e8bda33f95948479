"""The commands and their options; each command's work stands in its own module and is imported on use."""

from __future__ import annotations

import enum
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from webpubsub.model.errors import OptionError, WebPubSubError
from webpubsub.server.ending import end_soon

app = typer.Typer(
    name="webpubsub",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Run Azure Functions apps for Web PubSub, and a Web PubSub service, on this machine.",
)


class LogFormat(enum.StrEnum):
    """How logs are written."""

    TEXT = "text"
    JSON = "json"


Host = Annotated[str, typer.Option(help="Address to listen on.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Also log what succeeds: every event, action and request.")
]
Format = Annotated[LogFormat, typer.Option("--log-format", help="How logs are written on stderr.")]
AnyKey = Annotated[
    bool,
    typer.Option("--insecure-default-key", help="Listen beyond this machine with the public default key."),
]
CertFile = Annotated[
    Path | None,
    typer.Option(
        "--ssl-certfile", metavar="FILE", help="Speak https and wss, with the certificate of this PEM file."
    ),
]
KeyFile = Annotated[
    Path | None, typer.Option("--ssl-keyfile", metavar="FILE", help="The certificate's private key, in PEM.")
]


@app.command()
def start(
    app_dir: Annotated[Path, typer.Argument(help="Folder of the function app.")] = Path(),
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on. Default 127.0.0.1, or LocalHttpAddress."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the functions; 0 takes any free one. Default 7071, or LocalHttpPort.",
        ),
    ] = None,
    service_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of the embedded service; 0 takes any free one. Default 8080."
        ),
    ] = None,
    service: Annotated[
        bool, typer.Option("--service/--no-service", help="Whether to run the embedded service.")
    ] = True,
    event_handler: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HUB=URL_TEMPLATE",
            help="Send the events of a hub that no trigger takes to a URL, such as chat=/api/{event} "
            "for HTTP functions of the app; repeatable.",
        ),
    ] = None,
    functions: Annotated[
        list[str] | None,
        typer.Option("--functions", metavar="NAME,...", help="Run only these functions; repeatable."),
    ] = None,
    reload: Annotated[
        bool,
        typer.Option("--reload", help="Start the app anew when its files change; clients stay connected."),
    ] = False,
    in_process: Annotated[
        bool,
        typer.Option("--in-process", help="Join app and embedded service without HTTP between them: faster."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Run the app in so many processes, for a service that is not embedded."),
    ] = None,
    auth: Annotated[
        bool,
        typer.Option("--auth", help="Ask for keys, as Azure does: of functions, /admin and the webhook."),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 1 when a function cannot run or is open to anybody."),
    ] = False,
    insecure_default_key: AnyKey = False,
    ssl_certfile: CertFile = None,
    ssl_keyfile: KeyFile = None,
    log_format: Format = LogFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Run a function app, with a Web PubSub service for it.

    The service is embedded when the app's connection string is absent or points at this machine.
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
        event_handlers=tuple(event_handler or ()),
        functions=tuple(name for names in functions or () for name in names.replace(",", " ").split()),
        auth=auth,
        strict=strict,
        insecure_default_key=insecure_default_key,
        log_format=log_format.value,
        verbose=verbose,
        in_process=in_process,
        tls=Tls.of_options(ssl_certfile, ssl_keyfile),
    )
    if reload and (in_process or workers is not None):
        raise OptionError(
            "--in-process" if in_process else "--workers",
            "it cannot be used with --reload, which runs the app in one process, and the service in another",
        )
    if not reload and workers is None:
        run_start(options)
        return
    from webpubsub.server.child import SUPERVISED

    inheritance = os.environ.pop(SUPERVISED, None)
    if workers is not None:
        from webpubsub.server.workers import run_worker, run_workers

        if inheritance is None:
            run_workers(options, workers)
        else:
            run_worker(options, inheritance)
        return
    from webpubsub.server.reload import run_reload, run_supervised

    if inheritance is None:
        run_reload(options)
    else:
        run_supervised(options, inheritance)


@app.command()
def service(
    host: Host = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")
    ] = 8080,
    settings: Annotated[
        Path | None, typer.Option(help="Service settings file (JSON); edits are used while it runs.")
    ] = None,
    event_handler: Annotated[
        list[str] | None,
        typer.Option(metavar="HUB=URL_TEMPLATE", help="Send all events of a hub to a URL; repeatable."),
    ] = None,
    access_key: Annotated[
        str | None,
        typer.Option(envvar="WEBPUBSUB_ACCESS_KEY", help="Primary access key. Default: the emulator's."),
    ] = None,
    secondary_key: Annotated[
        str | None, typer.Option(envvar="WEBPUBSUB_SECONDARY_KEY", help="Secondary access key.")
    ] = None,
    insecure_default_key: AnyKey = False,
    strict_api_version: Annotated[
        bool,
        typer.Option(
            "--strict-api-version",
            help="Refuse REST requests of an api-version newer than the newest known here, as Azure does.",
        ),
    ] = False,
    ssl_certfile: CertFile = None,
    ssl_keyfile: KeyFile = None,
    log_format: Format = LogFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Run a Web PubSub service alone."""
    from webpubsub.server.standalone import ServiceOptions, run_service
    from webpubsub.server.tls import Tls

    options = ServiceOptions(
        host=host,
        port=port,
        settings=settings,
        event_handlers=tuple(event_handler or ()),
        access_key=access_key,
        secondary_key=secondary_key,
        insecure_default_key=insecure_default_key,
        strict_api_version=strict_api_version,
        log_format=log_format.value,
        verbose=verbose,
        tls=Tls.of_options(ssl_certfile, ssl_keyfile),
    )
    run_service(options)


@app.command()
def token(
    hub: Annotated[str, typer.Option(help="Hub to connect to.")],
    user: Annotated[str | None, typer.Option(help="User id; without it the client is anonymous.")] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="Role, e.g. webpubsub.sendToGroup; repeatable.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help="Group to join at once; repeatable.")] = None,
    minutes: Annotated[int, typer.Option(min=1, help="How long the token is valid.")] = 60,
    connection: Annotated[
        str | None,
        typer.Option(
            envvar="WebPubSubConnectionString", help="Connection string. Default: the local service's."
        ),
    ] = None,
) -> None:
    """Print the URL with which a client connects."""
    from webpubsub.cli.token import print_token

    print_token(hub, user=user, roles=role or [], groups=group or [], minutes=minutes, connection=connection)


def run() -> None:
    """Run the command; exit codes: 0 done, 1 the app or its settings are wrong, 2 usage."""
    try:
        app()
    except OptionError as error:
        sys.stderr.write(f"webpubsub: {error}\n")
        sys.exit(2)
    except WebPubSubError as error:
        sys.stderr.write(f"webpubsub: {error}\n")
        end_soon(1)  # the app may have been imported and started threads before it failed
        sys.exit(1)
