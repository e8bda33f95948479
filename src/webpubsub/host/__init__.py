"""A function host in pure Python: loads a function app and runs its HTTP, timer and Web PubSub functions."""

from __future__ import annotations

from webpubsub.host.host import FunctionHost, FunctionListing
from webpubsub.host.settings.settings import HostSettings, export_values

__all__ = ["FunctionHost", "FunctionListing", "HostSettings", "export_values"]
