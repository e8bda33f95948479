"""What annotations the worker takes for each binding type this host runs."""

from __future__ import annotations

from typing import Any

import azure.functions as func
import pytest

from webpubsub.functions.converter import has_converter
from webpubsub.host.converters import accepts_annotation, gives_text, has_implicit_output

GENERIC = ["webPubSub", "webPubSubConnection", "webPubSubContext", "webPubSubTrigger"]


@pytest.fixture(autouse=True)
def _registered() -> None:
    """With our own converter registered or without it, all is the same."""
    assert has_converter()


@pytest.mark.parametrize(
    ("binding_type", "accepted", "refused"),
    [
        ("httpTrigger", [func.HttpRequest], [str, bytes, dict, func.TimerRequest, str | None, Any]),
        ("timerTrigger", [func.TimerRequest, str, bytes], [dict, func.HttpRequest, str | None, list[str]]),
        *((name, [str, bytes], [dict, bytearray, str | None, list[str], Any]) for name in GENERIC),
    ],
)
def test_inputs(binding_type: str, accepted: list[Any], refused: list[Any]) -> None:
    assert [
        kind for kind in accepted + refused if accepts_annotation(binding_type, kind, is_out=False)
    ] == accepted


@pytest.mark.parametrize(
    ("binding_type", "accepted", "refused"),
    [
        ("http", [func.HttpResponse, str], [bytes, dict, None]),
        *((name, [str, bytes, bytearray], [dict, list[str], None]) for name in GENERIC),
    ],
)
def test_outputs(binding_type: str, accepted: list[Any], refused: list[Any]) -> None:
    assert [
        kind for kind in accepted + refused if accepts_annotation(binding_type, kind, is_out=True)
    ] == accepted


def test_text_is_given_where_the_worker_has_a_converter_that_is_passed_over() -> None:
    assert gives_text("timerTrigger", str)
    assert gives_text("timerTrigger", bytes)
    assert not gives_text("timerTrigger", func.TimerRequest)
    assert not gives_text("timerTrigger", None)
    assert not gives_text("webPubSubTrigger", str)


def test_which_bindings_take_a_result() -> None:
    assert [name for name in GENERIC if has_implicit_output(name)] == GENERIC
    assert not any(map(has_implicit_output, ("httpTrigger", "timerTrigger", "http")))
