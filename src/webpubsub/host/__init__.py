"""A function host in pure Python: loads a function app and runs its HTTP, timer and Web PubSub functions."""

from __future__ import annotations

from webpubsub.host.host import FunctionHost
from webpubsub.host.loading.listing import FunctionListing
from webpubsub.host.settings.host_settings import HostSettings, export_values

__all__ = ["FunctionHost", "FunctionListing", "HostSettings", "export_values"]
