"""Route templates."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.growth import LINEAR, growth
from webpubsub.host.dotnet.routes import CONSTRAINTS, RouteTemplate
from webpubsub.model.errors import ConfigurationError


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/hello", "/api/hello", {}),
        ("api/hello", "/API/Hello/", {}),
        ("api/hello", "/api/hello2", None),
        ("api/hello", "/api", None),
        ("api/hello", "/api/hello/more", None),
        ("", "/", {}),
        ("", "/x", None),
        ("users/{id}", "/users/7", {"id": "7"}),
        ("users/{id}", "/users/", None),
        ("users/{id}", "/users/a b", {"id": "a b"}),
        ("users/{id}", "/users/a%2Fb", {"id": "a%2Fb"}),
        ("users/{id?}", "/users", {}),
        ("users/{id?}", "/users/7", {"id": "7"}),
        ("users/{id=me}", "/users", {"id": "me"}),
        ("users/{id:int=5}", "/users", {"id": "5"}),
        ("users/{id:int?}", "/users", {}),
        ("files/{*path}", "/files/a/b.txt", {"path": "a/b.txt"}),
        ("files/{**path}", "/files", {}),
        ("{*path}", "/", {}),
        ("{*path}", "/a/b", {"path": "a/b"}),
        ("{year}-{month}", "/2026-01", {"year": "2026", "month": "01"}),
        ("f/{name}.{ext}", "/f/a.b.c", {"name": "a.b", "ext": "c"}),
        ("v{version:int}/x", "/v2/x", {"version": "2"}),
        ("v{version:int}/x", "/vtwo/x", None),
        ("a.b/{x}", "/aXb/1", None),
        ("{{literal}}/x", "/{literal}/x", {}),
        # what may be missing may be so at the end only
        ("{x?}/a", "/1/a", {"x": "1"}),
        ("{x?}/a", "/a", None),
        ("{x=5}/a", "/a", None),
        ("{x=5}/{y?}", "/", {"x": "5"}),
        ("{x=5}/{y?}", "/1/2", {"x": "1", "y": "2"}),
        ("a/{x?}/{*rest}", "/a", {}),
        ("a/{x?}/{*rest}", "/a/1/2/3", {"x": "1", "rest": "2/3"}),
        ("f/{name}.{ext?}", "/f/a.txt", {"name": "a", "ext": "txt"}),
        ("f/{name}.{ext?}", "/f/a", {"name": "a"}),
        ("f/{name}.{ext?}", "/f/a.b.c", {"name": "a.b", "ext": "c"}),
        ("f/{name}.{ext?}", "/f/a..b", {"name": "a.", "ext": "b"}),
        ("f/{name}.{ext?}", "/f/.txt", {"name": ".txt"}),
        ("f/{name}.{ext?}", "/f/a.", None),
        ("f/{name}.{ext?}", "/f/a.b.", {"name": "a", "ext": "b."}),
        # a segment of several parts is read from its end on, each literal where it comes last
        ("{a}-{b}", "/x--y", {"a": "x-", "b": "y"}),
        ("{a}-{b}", "/x-y-", {"a": "x", "b": "y-"}),
        ("{a}-{b}", "/-x-", None),
        ("{a}-{b}-{c}", "/1-2-3-4", {"a": "1-2", "b": "3", "c": "4"}),
        ("{a}-{b}-{c}", "/---", None),
        ("{a}-{b}-{c}", "/-----", {"a": "-", "b": "-", "c": "-"}),
        ("{a}xY{b}", "/1Xy2", {"a": "1", "b": "2"}),
        ("{a}\u00e9{b}", "/1\u00c92", {"a": "1", "b": "2"}),
        ("a{b}c{d}", "/abcd", {"b": "b", "d": "d"}),
        ("a{b}c{d}", "/aabcd", None),  # as .NET documents it
        ("{a}.zip", "/x.zip.ZIP", {"a": "x.zip"}),
        ("{a}.zip", "/x.zip.gz", None),
        ("{a}.zip", "/.zip", None),
        ("{*rest}", "/a\nb/c", {"rest": "a\nb/c"}),
    ],
)
def test_paths_match_templates(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert RouteTemplate(template).match(path) == expected


TEMPLATES = [
    *["{y}-{m}", "days/{y}-{m}-{d}", "{a}-{b}-{c}-{d}-{e}-{f}", "files/{name}.{ext}", "files/{name}.{ext?}"],
    *["{a}.{b}.{c?}", "x{a}", "x{a}x{b}x", "{a}x", "{a}--{b}", "{a}", "{a?}", "{a}/{b?}/{c?}", "{*all}"],
    *[
        "{a}/{*all}",
        "x/x/x/{a}",
        "{a:int}-{b:guid}",
        "{a:alpha}.{b:datetime}",
        "{a:decimal}",
        "{a:double}x{b}",
    ],
    *[
        "{a:file}",
        "{a:nonfile}",
        "{a:datetime}",
        "{a:length(1,100)}-{b}",
        "{a:regex(^(x+)+$)}-{b}",
        "{a:bool}-{b}",
    ],
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_time_grows_with_the_path(template: str) -> None:
    route = RouteTemplate(template)
    starts = ("/", "/days/", "/files/", "/x/x/x/")
    units = ("-", ".", "x", "/", "x-", "x.", "x/", "-x", "--", "1", "1,", "1 ", "\n", "\u00e9")
    paths = [(start, unit, end) for start in starts for unit in units for end in ("", "!", "-x", "/x")]

    def match(path: tuple[str, str, str], size: int) -> Callable[[], object]:
        start, unit, end = path
        text = f"{start}{unit * (size // len(unit))}{end}"
        return lambda: route.match(text)

    slow = [path for path in paths if growth(lambda size, p=path: match(p, size), 4000, 16_000) > LINEAR]  # type: ignore[misc]
    assert slow == []


@pytest.mark.parametrize(
    ("constraint", "accepted", "refused"),
    [
        ("int", ["1", "-5", "2147483647"], ["x", "1.5", "2147483648", "", "\u0661"]),
        ("long", ["9223372036854775807"], ["9223372036854775808"]),
        ("bool", ["true", "FALSE"], ["yes", "1"]),
        ("decimal", ["49.99", "-1", "-1,000.01"], ["1e5", "x", ","]),
        ("double", ["1.234", "-1e5", "-1,001.01e8"], ["x", "1e"]),
        ("float", ["1.5"], ["one"]),
        (
            "datetime",
            ["2026-12-31", "2026-12-31T07:32:00", "2026-12-31 7:32pm", "2026-12-31 7:32 PM"],
            ["tomorrow", "2026-12-31 13:00pm", "2026-13-31 7:32pm"],
        ),
        (
            "guid",
            [
                "CD2C1638-1638-72D5-1638-DEADBEEF1638",
                "cd2c1638163872d51638deadbeef1638",
                "{CD2C1638-1638-72D5-1638-DEADBEEF1638}",
                "(CD2C1638-1638-72D5-1638-DEADBEEF1638)",
            ],
            ["cd2c", "urn:uuid:cd2c1638-1638-72d5-1638-deadbeef1638"],
        ),
        ("alpha", ["Rick"], ["r2d2"]),
        ("length(12)", ["somefile.txt"], ["short"]),
        ("length(2,4)", ["ab", "abcd"], ["a", "abcde"]),
        ("minlength(4)", ["Rick"], ["Bob"]),
        ("maxlength(3)", ["Bob"], ["Rick"]),
        ("min(18)", ["19"], ["17", "x"]),
        ("max(120)", ["91"], ["121", "x"]),
        ("range(18,120)", ["18", "120"], ["17", "121", "x"]),
        (r"regex(^\d{{3}}-x$)", ["123-x"], ["12-x"]),
        (r"regex(^(a|b)/?$)", ["a", "b"], ["c"]),
        ("required", ["x"], []),
        ("file", ["a.txt", ".x", "a..b"], ["a", "a.", "a.."]),
        ("nonfile", ["a", "a."], ["a.txt"]),
        ("int:min(1)", ["1"], ["0", "x"]),
    ],
)
def test_constraints_decide(constraint: str, accepted: list[str], refused: list[str]) -> None:
    template = RouteTemplate(f"x/{{v:{constraint}}}")
    assert [value for value in accepted if template.match(f"/x/{value}") != {"v": value}] == []
    assert [value for value in refused if template.match(f"/x/{value}") is not None] == []


def test_every_constraint_is_tried_above() -> None:
    marks = test_constraints_decide.pytestmark  # type: ignore[attr-defined]
    tried = {row[0].partition("(")[0].partition(":")[0] for row in marks[0].args[1]}
    assert tried == set(CONSTRAINTS)


def test_the_most_specific_template_comes_first() -> None:
    texts = ["{*rest}", "a/{x}", "a/{x:int}", "a/b", "{x}/b", "a", "a/b/{c?}", "{*rest:alpha}"]
    ordered = sorted((RouteTemplate(text) for text in texts), key=lambda template: template.precedence)
    assert [template.text for template in ordered] == [
        "a",
        "a/b",
        "a/b/{c?}",
        "a/{x:int}",
        "a/{x}",
        "{x}/b",
        "{*rest:alpha}",
        "{*rest}",
    ]


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("a//b", "route 'a//b' has an empty segment"),
        ("a/{id", "route 'a/{id' has a '{' without its partner"),
        ("a/id}", "route 'a/id}' has a '}' without its partner"),
        ("a/{i{d}", "route 'a/{i{d}' has a '{' without its partner"),
        ("a/{}", "route 'a/{}' has no usable parameter in '{}'"),
        ("a/{1x}", "route 'a/{1x}' has no usable parameter in '{1x}'"),
        ("a/{x:}", "route 'a/{x:}' has no usable parameter in '{x:}'"),
        ("a/{x:int(}", "route 'a/{x:int(}' has no usable parameter in '{x:int(}'"),
        ("a?b", "route 'a?b' has a '?' outside a parameter"),
        ("{x}/{X}", "route '{x}/{X}' has the parameter 'X' twice"),
        ("{*x}/a", "route '{*x}/a' has a catch-all parameter before its end"),
        ("{x}-{y?}", "route '{x}-{y?}': parameter 'y' may be missing, so it must be a whole segment"),
        ("a{x?}", "route 'a{x?}': parameter 'x' may be missing, so it must be a whole segment"),
        ("{x}{y}", "route '{x}{y}' has two parameters with nothing between them"),
        (
            "{x:length(a)}",
            "route '{x:length(a)}' has the constraint 'length(a)' with unusable arguments: invalid literal "
            "for int() with base 10: 'a'",
        ),
    ],
)
def test_what_is_no_template_is_told(template: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RouteTemplate(template)
    assert str(caught.value) == problem


def test_an_unknown_constraint_is_told_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigurationError, match="has the unknown constraint 'hex': expected one of int, long"
    ):
        RouteTemplate("{x:hex}")


@given(st.text(alphabet="a/{}*?:=()x1.-,", max_size=20), st.text(max_size=20))
def test_any_text_is_a_template_or_a_told_error(template: str, path: str) -> None:
    try:
        parsed = RouteTemplate(template)
    except ConfigurationError:
        return
    found = parsed.match(f"/{path}")
    assert found is None or isinstance(found, dict)
