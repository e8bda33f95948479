"""Which changes start a reloaded app again."""

from __future__ import annotations

import pytest
from watchfiles import Change

from webpubsub.server.reload import watch_filter


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/app/function_app.py", True),
        ("/app/host.json", True),
        ("/app/chat/function.json", True),
        ("/app/static/index.html", True),
        ("/app/notes.txt", False),
        ("/app/__pycache__/function_app.cpython-311.pyc", False),
        # Keys, which the host itself writes.
        ("/app/.webpubsub/azure-webjobs-secrets/chat/host.json", False),
    ],
)
def test_changes_of_the_apps_own_files_count(path: str, counts: bool) -> None:
    assert watch_filter()(Change.modified, path) is counts
