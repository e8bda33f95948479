"""The converter: the generic binding in every respect, but that bytes know their metadata."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import azure.functions
import pytest
from azure.functions import meta

from kit.event_values import Datum
from webpubsub.functions import converter
from webpubsub.functions.host_json.trigger_bytes import TriggerBytes

METADATA = {"DataType": Datum('"Text"', "json")}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A process in which nothing has been registered yet."""
    _forget()
    yield monkeypatch
    monkeypatch.undo()
    _forget()


def registered() -> Any:
    return azure.functions.get_binding_registry().get("webPubSubTrigger")  # type: ignore[no-untyped-call]


def _forget() -> None:
    meta._ConverterMeta._bindings.pop("webPubSubTrigger", None)
    converter.has_converter.cache_clear()


@pytest.fixture
def found(fresh: pytest.MonkeyPatch) -> Any:
    assert converter.has_converter()
    return registered()


def test_it_is_registered_once_and_under_its_name_only(fresh: pytest.MonkeyPatch) -> None:
    before = set(meta._ConverterMeta._bindings)
    assert converter.has_converter()
    assert converter.has_converter()
    assert set(meta._ConverterMeta._bindings) - before == {"webPubSubTrigger"}


def test_the_package_registers_nothing_before_a_user_event_is_typed() -> None:
    program = """if True:
        import azure.functions as func
        import webpubsub as wps
        found = lambda: func.get_binding_registry().get("webPubSubTrigger") is not None
        app = wps.FunctionApp()
        seen = [found()]
        app.web_pubsub_trigger(event_type="system", event_name="connect")(lambda: None)
        seen.append(found())
        app.web_pubsub_trigger(event_type="user", event_name="%Event%")(lambda: None)
        seen.append(found())
        print(seen)
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert ran.stdout == "[False, False, True]\n", ran.stderr
    assert ran.stderr == ""


# --- values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("datum", "value"),
    [
        (None, None),
        (Datum(None, None), None),
        (Datum("text", "string"), "text"),
        (Datum('{"a": 1}', "json"), '{"a": 1}'),
        (Datum(b"\xff\x00", "bytes"), b"\xff\x00"),
        (Datum(b"", "bytes"), b""),
    ],
)
def test_a_value_is_that_of_the_generic_binding(found: Any, datum: Any, value: Any) -> None:
    decoded = found.decode(datum, trigger_metadata=METADATA)
    assert decoded == value
    assert isinstance(decoded, type(value))


def test_bytes_know_their_metadata_and_nothing_else_does(found: Any) -> None:
    decoded = found.decode(Datum(b"hi", "bytes"), trigger_metadata=METADATA)
    assert type(decoded) is TriggerBytes
    assert decoded.trigger_metadata is METADATA
    assert decoded.decode() == "hi"
    # Libraries that want exactly a str, as orjson does, are content.
    assert type(found.decode(Datum("hi", "string"), trigger_metadata=METADATA)) is str


def test_there_may_be_no_metadata(found: Any) -> None:
    assert found.decode(Datum(b"hi", "bytes"), trigger_metadata=None).trigger_metadata == {}


def test_other_values_are_refused(found: Any) -> None:
    with pytest.raises(ValueError, match=r"unexpected type of data received .*'http'"):
        found.decode(Datum({}, "http"), trigger_metadata={})


@pytest.mark.parametrize(
    ("result", "value", "kind"),
    [
        ("text", "text", "string"),
        (b"\xff", b"\xff", "bytes"),
        (bytearray(b"\xff"), b"\xff", "bytes"),
        ({"a": [1, "\xe9"]}, '{"a": [1, "\\u00e9"]}', "json"),
        ([1, None], "[1, null]", "json"),
        (5, 5, "int"),
        (True, True, "int"),
        (0.5, 0.5, "double"),
        (None, None, None),
    ],
)
def test_a_result_is_encoded(found: Any, result: Any, value: Any, kind: str | None) -> None:
    datum = found.encode(result, expected_type=None)
    assert (datum.value, datum.type) == (value, kind)
    assert type(datum.value) is type(value)


def test_a_result_with_no_wire_form_is_refused(found: Any) -> None:
    with pytest.raises(NotImplementedError):
        found.encode(object(), expected_type=None)


def test_annotations_of_the_generic_binding_are_accepted(found: Any) -> None:
    assert [found.check_input_type_annotation(kind) for kind in (str, bytes, dict)] == [True, True, False]
    assert [found.check_output_type_annotation(kind) for kind in (str, bytearray, dict)] == [
        True,
        True,
        False,
    ]
    assert found.has_implicit_output()
    assert found.has_trigger_support()


# --- when it cannot be registered -----------------------------------------------------------------------


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {record.name for record in caplog.records} <= {"webpubsub"}
    assert {record.levelno for record in caplog.records} <= {logging.WARNING}
    return [record.getMessage() for record in caplog.records]


def test_another_converter_stays(fresh: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Other(meta.InConverter, binding="webPubSubTrigger", trigger=True):
        pass

    assert not converter.has_converter()
    assert not converter.has_converter()
    assert registered() is Other
    (text,) = warnings_of(caplog)
    assert text.startswith(
        "binary messages of user events arrive damaged in the Azure Functions worker, because the converter "
        f"for webPubSubTrigger could not be registered: the registry of azure.functions has {Other} for it; "
    )


def test_a_registry_that_forgets_is_not_relied_on(
    fresh: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fresh.setattr(azure.functions, "get_binding_registry", lambda: SimpleNamespace(get=lambda name: None))
    assert not converter.has_converter()
    (text,) = warnings_of(caplog)
    assert "the registry of azure.functions has nothing for it" in text


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (azure.functions, "get_binding_registry", None),
        (azure.functions, "get_binding_registry", lambda: None),
        (meta, "InConverter", None),
        (meta, "OutConverter", object()),
    ],
)
def test_a_registry_of_another_shape_breaks_no_app(
    module: Any, name: str, value: Any, fresh: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fresh.setattr(module, name, value)
    assert not converter.has_converter()
    assert not converter.has_converter()
    (text,) = warnings_of(caplog)
    assert "could not be registered: " in text
    assert caplog.records[0].exc_info is not None
