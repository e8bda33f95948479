"""What this service is called: the URLs its callers sign, and those it hands out.

Callers know it by the Host header they send; behind a proxy, also by what the proxy says was sent to it,
or by an endpoint that is set.

Source: service spec, sections A.6, B.2 and B.4.
"""

from __future__ import annotations

from webpubsub.service.rest.targets import Head
from webpubsub.service.settings import ServiceSettings


def base_urls(settings: ServiceSettings, head: Head) -> list[str]:
    """Return the URLs under which the sender of a request may know this service.

    Their schemes mean nothing: TLS may end before this service.
    """
    hosts = [head.values.get(b"host", b"")]
    if settings.trust_forwarded_headers:
        hosts.append(_first(head.values.get(b"x-forwarded-host", b"")))
    urls = [f"http://{host.decode('latin-1')}{head.root}" for host in hosts if host]
    return [*urls, *settings.public_endpoints] if settings.public_endpoints else urls


def request_url(settings: ServiceSettings, head: Head) -> str:
    """Return the URL under which the sender of a request has reached this service, to be called again."""
    host, scheme = head.values.get(b"host", b""), head.scheme
    if settings.trust_forwarded_headers:
        host = _first(head.values.get(b"x-forwarded-host", b"")) or host
        scheme = _first(head.values.get(b"x-forwarded-proto", b"")).decode("latin-1") or scheme
    return f"{scheme}://{host.decode('latin-1')}{head.root}"


def _first(value: bytes) -> bytes:
    """Return what the proxy next to the caller wrote; each further one appends its own."""
    return value.partition(b",")[0].strip()
