"""The benchmarks themselves: our real commands under the C load clients, for moments only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import others
from benchmarks.http import http_load, http_request, status_of, text_frame, upgrade_request
from benchmarks.programs import LIBRARIES
from benchmarks.servers import Running, Server, started
from benchmarks.tls import CERTIFICATE, trusting, with_certificate
from kit.certificates import make_certificate
from kit.needs import missing

pytestmark = [pytest.mark.contract, pytest.mark.alone]
ROOT = Path(__file__).parents[2]
GET = http_request("GET", "/", {})


@pytest.fixture(autouse=True)
def compiler(need: Callable[..., str]) -> None:
    need("cc", install="apt-get install gcc libc6-dev")
    need("openssl", install="apt-get install openssl")
    if not LIBRARIES["https_load"].header.exists():
        missing("OpenSSL's headers", "apt-get install libssl-dev")
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        missing("Linux and two cores", "run it elsewhere")


def test_ours_are_measured(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "webhook",
        "rest",
        "--ours",
        "--rounds",
        "1",
        "--seconds",
        "0.2",
    ]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "report.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_bytes())
    rows = {row["name"]: row for part in report["parts"] for row in part["rows"]}
    assert {
        "webhook-async",
        "webhook-sync",
        "webhook-tls",
        "rest-user",
        "rest-group",
        "rest-all",
    } <= rows.keys()
    for row in rows.values():
        for standing in row["standings"]:
            assert len(standing["samples"]) == 1
            median = standing["median"]
            assert median["value"] > 0
            assert median["cpu_us"] > 0
            assert 0 < median["p50_us"] <= median["p99_us"]
            assert 0 < median["client_busy"] <= 1.05


def test_ours_is_measured_beside_ours_in_another_checkout(tmp_path: Path) -> None:
    # The other one is this one, in an environment whose interpreter is that of this test.
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/started\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    options = ["--against", str(tmp_path), "--rounds", "1", "--seconds", "0.2"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "webhook", *options, "--json", str(tmp_path / "report.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_bytes())
    found = {row["name"]: [each["name"] for each in row["standings"]] for row in report["parts"][0]["rows"]}
    both = ["webpubsub", f"webpubsub, {tmp_path.name}"]
    assert found == {"webhook-async": both, "webhook-sync": both, "webhook-tls": both}
    started = (tmp_path / "started").read_text().splitlines()
    assert len(started) == 3
    assert all(line.startswith("-m webpubsub start .") for line in started)


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ({"status": 200, "body": "ack"}, "expected 200 and ack, found:\nHTTP/1.1 503 Busy"),
        ({"status": 503, "body": "ack"}, "expected 503 and ack"),
        ({"status": 503, "contains": "later!"}, "expected 503 and later!"),
        ({"status": 200}, "expected 200 and any body"),
    ],
)
def test_a_wrong_answer_ends_a_run(expected: dict[str, object], problem: str) -> None:
    with (
        started(others.limit("http_answer", "503 Busy", "later")) as running,
        pytest.raises(RuntimeError, match=problem),
    ):
        http_load(running, 0.1, [GET], **expected)


def test_right_answers_are_counted_with_what_they_cost() -> None:
    with started(others.limit("http_answer", "200 OK", "ack")) as running:
        load = http_load(running, 0.2, [GET, GET], status=200, body="ack")
    assert load.operations > 0
    assert load.seconds == pytest.approx(0.2, abs=0.1)
    assert 0 < load.server_cpu_seconds <= load.seconds * 1.05


def test_subscribers_that_are_refused_end_a_run() -> None:
    upgrade = upgrade_request("localhost", "/")
    with (
        started(others.limit("http_answer", "200 OK", "ack")) as running,
        pytest.raises(RuntimeError, match="expected 101 as answer to an upgrade"),
    ):
        http_load(running, 0.1, [GET], upgrades=upgrade, frame=text_frame("a"), receivers=1)


ANSWERS_BY_TLS = f"""
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "40000" if self.path == "/long" else "3")
        self.end_headers()
        self.wfile.write(b"x" * 40000 if self.path == "/long" else b"ack")

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain({str(CERTIFICATE)!r})
with ThreadingHTTPServer(("127.0.0.1", {{port}}), Answer) as server:
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("Ready", flush=True)
    server.serve_forever()
"""


@pytest.fixture
def by_tls() -> Iterator[Running]:
    server = Server((sys.executable, "server.py"), ready="Ready", files={"server.py": ANSWERS_BY_TLS})
    with started(with_certificate(server)) as running:
        yield running


def test_answers_by_tls_are_counted_and_checked(by_tls: Running) -> None:
    assert status_of(by_tls, GET, trusting()) == 200
    load = http_load(by_tls, 0.2, [GET], connections=4, trust=CERTIFICATE, status=200, body="ack")
    assert load.operations > 0
    assert load.server_cpu_seconds > 0
    with pytest.raises(RuntimeError, match=r"expected 200 and nack, found:\nHTTP/1\.1 200 OK"):
        http_load(by_tls, 0.1, [GET], connections=4, trust=CERTIFICATE, body="nack")
    with pytest.raises(RuntimeError, match="an answer has over 16383 bytes"):
        http_load(by_tls, 0.1, [http_request("GET", "/long", {})], connections=1, trust=CERTIFICATE)


def test_the_certificate_of_a_server_is_checked(by_tls: Running, tmp_path: Path) -> None:
    other = make_certificate(tmp_path).certfile
    with pytest.raises(RuntimeError, match=r"the handshake failed: .*certificate verify failed"):
        http_load(by_tls, 0.1, [GET], connections=1, trust=other)
