"""The ``webpubsub`` command, and ``python -m webpubsub``; says what to install for it."""

from __future__ import annotations

import sys

# What only `pip install "webpubsub[server]"` brings; the bindings alone run without it.
_SERVER_PACKAGES = {"click", "httptools", "jwt", "watchfiles"}


def main() -> None:
    """Run the command, or say what to install for it."""
    try:
        from webpubsub.cli.commands import run

        run()  # what a command needs is imported there: an app may have brought click, and no more of it
    except ModuleNotFoundError as error:
        if error.name not in _SERVER_PACKAGES:
            raise
        sys.stderr.write(
            f"webpubsub: the host and the service are not installed ({error.name} is missing).\n"
            'Install them with: pip install "webpubsub[server]"\n'
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
