"""The trace: spans, listeners, what is built, and the one table of names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from webpubsub.model.trace import NAMES, SILENT, UNHEARD, Name, Phase, Trace, TraceEvent

HUB = {"hub": "chat"}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Hears:
    """A listener of some names and phases."""

    def __init__(self, *heard: tuple[Name, Phase]) -> None:
        self.heard = heard
        self.told: list[TraceEvent] = []

    def __call__(self, event: TraceEvent) -> None:
        self.told.append(event)

    def hears(self, name: Name, phase: Phase) -> bool:
        return (name, phase) in self.heard


def shown(events: list[TraceEvent]) -> list[tuple[str, str, int, int]]:
    return [(event.name.value, event.phase.value, event.span, event.parent) for event in events]


def test_a_span_is_told_when_it_starts_and_when_it_ends_with_its_duration() -> None:
    told: list[TraceEvent] = []
    clock = Clock()
    with Trace(told.append, clock=clock).span(Name.ACTION, HUB, {"action": "sendToAll"}) as span:
        clock.now += 0.25
        span.detail["status"] = 202
    assert told == [
        TraceEvent(Name.ACTION, Phase.STARTED, HUB, {"action": "sendToAll"}, None, 1, 0),
        TraceEvent(
            Name.ACTION,
            Phase.COMPLETED,
            HUB,
            {"action": "sendToAll", "status": 202, "duration": 0.25},
            None,
            1,
            0,
        ),
    ]


def test_a_span_that_raises_fails_with_what_was_raised() -> None:
    told: list[TraceEvent] = []
    with pytest.raises(ZeroDivisionError) as raised, Trace(told.append).span(Name.ACTION, HUB):
        raise ZeroDivisionError
    assert [event.phase for event in told] == [Phase.STARTED, Phase.FAILED]
    assert told[1].error is raised.value


def test_a_span_may_tell_another_cause_than_what_it_raises() -> None:
    told: list[TraceEvent] = []
    cause = ZeroDivisionError()
    span = Trace(told.append).span(Name.EVENT, HUB)
    span.error = cause
    with pytest.raises(ValueError, match="no"), span:
        raise ValueError("no")
    assert told[1].error is cause


def test_a_span_knows_the_span_it_is_opened_in_and_so_does_what_has_no_length() -> None:
    told: list[TraceEvent] = []
    trace = Trace(told.append)
    with trace.span(Name.FUNCTION, {"function": "f"}):
        with trace.span(Name.ACTION, HUB):
            trace.tell(Name.STORAGE, Phase.FAILED, {})
        trace.tell(Name.SETTING, Phase.COMPLETED, {})
    trace.tell(Name.SETTING, Phase.COMPLETED, {})
    assert shown(told) == [
        ("function", "started", 1, 0),
        ("action", "started", 2, 1),
        ("storage", "failed", 0, 2),
        ("action", "completed", 2, 1),
        ("setting", "completed", 0, 1),
        ("function", "completed", 1, 0),
        ("setting", "completed", 0, 0),
    ]


def test_each_listener_is_told_what_it_hears() -> None:
    everything: list[TraceEvent] = []
    starts, failures = Hears((Name.ACTION, Phase.STARTED)), Hears((Name.ACTION, Phase.FAILED))
    trace = Trace(everything.append, starts, failures)
    with trace.span(Name.ACTION, HUB):
        pass
    with pytest.raises(KeyError), trace.span(Name.ACTION, HUB):
        raise KeyError
    with trace.span(Name.EVENT, HUB):
        pass
    assert len(everything) == 6
    assert [event.phase for event in starts.told] == [Phase.STARTED] * 2
    assert [event.phase for event in failures.told] == [Phase.FAILED]


def test_listeners_come_and_go() -> None:
    first: list[TraceEvent] = []
    second: list[TraceEvent] = []
    trace = Trace(first.append)
    listener = second.append
    trace.listen(listener)
    trace.tell(Name.SETTING, Phase.FAILED, {})
    trace.leave(listener)
    trace.tell(Name.SETTING, Phase.FAILED, {})
    assert (len(first), len(second)) == (2, 1)


def test_a_listener_that_changes_its_mind_is_asked_again() -> None:
    listener = Hears()
    trace = Trace(listener)
    listener.heard = ((Name.REST, Phase.COMPLETED),)
    trace.tell(Name.REST, Phase.COMPLETED, {})
    assert (listener.told, trace.heard) == ([], frozenset())
    trace.refresh()
    trace.tell(Name.REST, Phase.COMPLETED, {})
    assert len(listener.told) == 1
    assert trace.heard == {Name.REST}


def never() -> dict[str, str]:
    pytest.fail("ids are made though nobody hears of them")


@pytest.mark.parametrize(
    "trace", [SILENT, Trace(Hears((Name.ACTION, Phase.FAILED))), Trace(Hears((Name.EVENT, Phase.STARTED)))]
)
def test_nothing_is_built_that_nobody_hears(trace: Trace) -> None:
    with trace.span(Name.ACTION, never) as span:
        span.detail["status"] = 202
        span.detail.update(attempts=1)


def test_a_span_that_nobody_hears_keeps_nothing() -> None:
    with SILENT.span(Name.ACTION, HUB) as span:
        span.detail["status"] = 202
        span.error = KeyError("kept")
    assert span is UNHEARD
    assert span.detail == {}
    assert span.error is None


def test_a_failure_is_heard_alone() -> None:
    failures = Hears((Name.ACTION, Phase.FAILED))
    with pytest.raises(KeyError), Trace(failures).span(Name.ACTION, lambda: HUB, {"action": "x"}):
        raise KeyError
    (event,) = failures.told
    assert (event.ids, event.detail) == (HUB, {"action": "x", "duration": 0.0})


def test_an_event_of_another_process_is_told_as_it_is() -> None:
    told: list[TraceEvent] = []
    event = TraceEvent(Name.FUNCTION, Phase.COMPLETED, {"function": "f"}, {"duration": 1.0}, None, 7, 3)
    Trace(told.append).forward(event)
    assert told == [event]


def rows() -> Iterator[tuple[Name, Phase]]:
    yield from ((name, phase) for name in Name for phase in Phase)


def test_the_table_has_a_row_for_each_name() -> None:
    assert NAMES.keys() == set(Name)
    assert all(NAMES[name].level(phase) in {10, 20, 30, 40} for name, phase in rows())
    assert NAMES[Name.FUNCTION].category.format_map({"function": "chat"}) == "Function.chat"
