"""The laws of single values: read and written again they are what they were, or refused."""

import datetime as dt
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rrr.pg_arrays import array_text, parse_array
from services.rrr.pg_lines import fields_of
from services.rrr.pg_statements import Schema, copy_of, is_whole
from services.rrr.pg_totals import Totals, added_up, converted, merged, written
from services.rrr.pg_types import keeping_of
from services.rrr.pg_values import UnfitError, read_time, write_instant, write_time
from services.writer.legacy_tables import free_name

MICROS = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(MICROS)
def test_a_moment_is_written_as_it_was_read(micros: int) -> None:
    assert read_time(write_time(micros)) == micros
    assert read_time(write_instant(micros)) == micros


@given(MICROS, st.integers(-57_599, 57_599))
def test_a_moment_of_any_zone_is_the_same_moment(micros: int, offset_s: int) -> None:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    zone = dt.timezone(dt.timedelta(seconds=offset_s))
    try:
        text = moment.astimezone(zone).isoformat(" ")
    except OverflowError:
        return
    assert read_time(text) == micros


@given(st.integers(-(10**18) + 1, 10**18 - 1), st.integers(-5, 30))
def test_a_decimal_of_so_many_places_is_exact(number: int, places: int) -> None:
    keeping = keeping_of(f"numeric(18,{places})", is_json)
    text = f"{Decimal(number).scaleb(-places):f}" if places > 0 else str(number * 10**-places)
    assert keeping.read(text) == number
    assert keeping.write(number) == text


@given(st.lists(st.none() | st.integers(-(10**17), 10**17), min_size=1), st.integers(0, 9))
def test_a_column_is_read_at_once_as_it_is_one_by_one(
    numbers: list[int | None], places: int
) -> None:
    keeping = keeping_of(f"numeric(18,{places})", is_json)
    texts = [None if n is None else keeping.write(n) for n in numbers]
    assert converted(keeping, texts).values == numbers


@pytest.mark.parametrize("odd", ["-0.0", "1\n2.0", "1.00", "", "\u0661.0", "1_0.0", "NaN"])
def test_a_column_read_at_once_refuses_what_one_alone_refuses(odd: str) -> None:
    found = converted(keeping_of("numeric(18,1)", is_json), ["1.0", odd, None, "2.0"])
    assert (found.values, list(found.unfit)) == ([10, None, None, 20], [1])


@given(st.floats(allow_nan=False))
def test_a_double_is_kept_to_its_last_bit(number: float) -> None:
    keeping = keeping_of("double precision", is_json)
    kept = keeping.read(repr(number))
    assert kept == number
    assert keeping.normal is not None
    assert keeping.normal(repr(number)) == keeping.write(kept)


@given(st.recursive(st.none() | TEXTS, lambda inner: st.lists(inner, min_size=1), max_leaves=9))
def test_an_array_is_written_as_it_was_read(value: object) -> None:
    items = value if isinstance(value, list) else [value]
    assert parse_array(array_text(items, "text")) == items


@given(st.lists(st.none() | TEXTS, min_size=1))
def test_a_line_of_copy_is_read_as_it_was_written(fields: list[str | None]) -> None:
    escapes = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\b": r"\b", "\v": r"\v"}
    line = "\t".join(
        r"\N" if one is None else "".join(escapes.get(c, c) for c in one) for one in fields
    )
    assert fields_of(line.encode()) == fields


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("bigint", "9223372036854775808"),
        ("integer", "1_0"),
        ("numeric(10,2)", "NaN"),
        ("numeric(10,2)", "1.5"),
        ("numeric(10,2)", "-0.00"),
        ("numeric(4,-2)", "123"),
        ("numeric", "Infinity"),
        ("numeric", "1e5"),
        ("double precision", "NaN"),
        ("real", "1e39"),
        ("boolean", "true"),
        ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
        ("bytea", "\\xf"),
        ("date", "infinity"),
        ("date", "10000-01-01"),
        ("timestamp with time zone", "-infinity"),
        ("timestamp without time zone", "0000-01-01 00:00:00"),
        ("text", "a\0b"),
        ("text", "a\udce4"),
        ("json", "{"),
        ("integer[]", "[2:3]={1,2}"),
        ("double precision[]", "{NaN}"),
        ("text[]", "{a"),
    ],
)
def test_what_is_not_exact_is_refused(kind: str, text: str) -> None:
    with pytest.raises(UnfitError):
        keeping_of(kind, is_json).read(text)


def test_old_forms_of_bytes_are_the_same_bytes() -> None:
    keeping = keeping_of("bytea", is_json)
    assert keeping.read("a\\000\\\\\\377") == b"a\0\\\xff" == keeping.read("\\x61005cff")
    assert keeping.normal is not None
    assert keeping.normal("a\\000\\\\\\377") == "\\x61005cff"


@given(st.lists(st.tuples(st.integers(-999, 999), st.none() | TEXTS), min_size=1), st.data())
def test_sums_do_not_depend_on_batches_or_order(
    rows: list[tuple[int, str | None]], data: st.DataObject
) -> None:
    names, keepings = ["a", "b"], [keeping_of("integer", is_json), keeping_of("text", is_json)]

    def totals(part: list[tuple[int, str | None]]) -> Totals:
        columns = [converted(keepings[0], [str(n) for n, _ in part])]
        return added_up(names, keepings, [*columns, converted(keepings[1], [t for _, t in part])])

    mixed = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(1, len(rows)))
    parts = [part for part in (mixed[:cut], mixed[cut:]) if part]
    assert merged(names, keepings, map(totals, parts)) == merged(names, keepings, [totals(rows)])


def test_what_is_kept_adds_up_to_what_was_read() -> None:
    keeping = keeping_of("numeric", is_json)
    read = converted(keeping, ["1.50", None, "-0.1", "1000000000000000000000000000000.7"])
    kept = written(keeping, read.values)
    assert added_up(["n"], [keeping], [read]) == added_up(["n"], [keeping], [kept])
    assert added_up(["n"], [keeping], [read]).columns["n"].total == (
        "1000000000000000000000000000002.1"
    )


def test_a_statement_ends_where_its_last_semicolon_stands() -> None:
    assert not is_whole("CREATE FUNCTION f() AS $$ a; b;\n")
    assert is_whole("CREATE FUNCTION f() AS $$ a; b; $$;\n")
    assert not is_whole("COMMENT ON TABLE t IS 'a;\n")
    assert not is_whole("/* a;\n")
    assert copy_of('COPY public."a b" (x, "y, z") FROM stdin;\n') == ('public."a b"', ["x", "y, z"])


def test_an_inherited_column_has_the_type_of_its_parent() -> None:
    schema = Schema()
    schema.take("CREATE TABLE public.p (\n    a bigint\n);\n")
    schema.take("CREATE TABLE public.c (\n    b date\n)\nINHERITS (public.p);\n")
    found = schema.described("public.c", ["a", "b", "c"])
    assert [one.type for one in found] == ["bigint", "date", "text"]


def test_a_name_is_free_whatever_its_case() -> None:
    assert free_name("Trades", ["trades"]) == "Trades_2"
    assert free_name("a", ["A", "a_2"]) == "a_3"
    assert free_name("a", ["a_readable"]) == "a_2"
    assert free_name("sqlite_x", []) == "pg_sqlite_x"
