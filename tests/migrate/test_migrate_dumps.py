"""What a file of pg_dump may be, and what is refused with the command that makes a right one."""

from pathlib import Path

import click
import pytest

from bus.errors import HouseError
from services.rrr.db_migrate import opened_source
from services.rrr.pg_dump_file import LINE_BYTES_MAX
from tests.migrate.desk import Place, equal
from tests.migrate.old_system import ROWS, SCHEMA
from tests.migrate.server import Postgres

HEAD = """--
-- PostgreSQL database dump
--

\\restrict x1Y2

SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);

CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $_$ SELECT 'COPY x FROM stdin;'; $_$;
CREATE TYPE public.mood AS ENUM ('a', 'b, c');
CREATE DOMAIN public.price AS numeric(10,2) CONSTRAINT c CHECK ((VALUE > (0)::numeric));
CREATE TABLE public.t (
    id integer NOT NULL,
    price public.price DEFAULT 1.5,
    "a""b" character varying(20) DEFAULT 'x,); COPY'::character varying NOT NULL,
    m public.mood,
    CONSTRAINT positive CHECK ((price > (0)::numeric))
);
"""
ROWS_OF_T = """
COPY public.t (id, price, "a""b", m) FROM stdin;
1	1.50	plain	a
2	\\N	\\\\.\\ttab\\x41\\102	b, c
3	NaN		\\N
\\.
"""
TAIL = """
ALTER TABLE ONLY public.t
    ADD CONSTRAINT t_pkey PRIMARY KEY (id);
\\unrestrict x1Y2
"""


def dump(path: Path, text: str) -> Path:
    file = path / "dump.sql"
    file.write_bytes(text.encode())
    return file


def test_a_dump_is_read_with_all_that_stands_around_its_rows(tmp_path: Path) -> None:
    place = Place(tmp_path / "a")
    (verdict,) = place.copy(dump(tmp_path, HEAD + ROWS_OF_T + TAIL))
    assert equal([verdict])
    assert (verdict.rows, verdict.quarantined) == (3, 1)
    assert place.rows("SELECT * FROM t ORDER BY id") == [
        (1, 150, "plain", "a"),
        (2, None, "\\.\ttabAB", "b, c"),
    ]
    found = place.rows("SELECT legacy_column, source_type, key_position FROM column_map")
    assert sorted(found) == [
        ('a"b', "character varying(20)", 0),
        ("id", "integer", 1),
        ("m", "public.mood", 0),
        ("price", "numeric(10,2)", 0),
    ]


def test_a_dump_of_an_old_pg_dump_needs_no_schema_in_its_names(tmp_path: Path) -> None:
    text = HEAD.replace("CREATE FUNCTION", "SET search_path = public, pg_catalog;\nCREATE FUNCTION")
    place = Place(tmp_path / "a")
    assert equal(place.copy(dump(tmp_path, (text + ROWS_OF_T + TAIL).replace("public.", ""))))
    assert place.one("SELECT price FROM t WHERE id = 1") == 150


def test_a_line_that_lacks_a_field_is_damage(tmp_path: Path) -> None:
    torn = HEAD + ROWS_OF_T.replace("1\t1.50\tplain\ta", "1\t1.50\tplain")
    with pytest.raises(HouseError, match="a row of t has 3 fields, expected 4") as caught:
        Place(tmp_path / "a").copy(dump(tmp_path, torn))
    assert caught.value.exit_code == 5


def test_a_dump_that_was_cut_off_is_damage(tmp_path: Path) -> None:
    cut = (HEAD + ROWS_OF_T)[: -len("\n\\.\n")]
    with pytest.raises(HouseError, match=r"ends within the rows of public\.t") as caught:
        Place(tmp_path / "a").copy(dump(tmp_path, cut))
    assert caught.value.exit_code == 5
    assert not (tmp_path / "a" / "legacy.db").exists()


def test_bytes_that_are_no_utf8_are_in_quarantine(tmp_path: Path) -> None:
    path = dump(tmp_path, HEAD + ROWS_OF_T + TAIL)
    path.write_bytes(path.read_bytes().replace(b"plain", b"pl\xe4in"))
    place = Place(tmp_path / "a")
    (verdict,) = place.copy(path)
    assert equal([verdict])
    assert ('a"b', "not UTF-8", 1) in verdict.reasons
    assert place.one("SELECT value FROM quarantine WHERE key = '[\"1\"]'") == "pl\\udce4in"


def test_a_key_that_comes_twice_is_in_quarantine(tmp_path: Path) -> None:
    twice = HEAD + ROWS_OF_T.replace("2\t\\N", "1\t\\N") + TAIL
    place = Place(tmp_path / "a")
    (verdict,) = place.copy(dump(tmp_path, twice))
    assert equal([verdict])
    assert (verdict.rows, verdict.quarantined) == (3, 2)
    assert ("", "UNIQUE constraint failed: t.id", 1) in verdict.reasons


def test_numbers_that_do_not_fit_make_the_column_text(tmp_path: Path) -> None:
    wide = HEAD.replace("numeric(10,2)", "numeric(30,2)") + ROWS_OF_T + TAIL
    fits, beyond = Place(tmp_path / "a"), Place(tmp_path / "b")
    assert equal(fits.copy(dump(tmp_path, wide)))
    assert fits.one("SELECT price FROM t WHERE id = 1") == 150
    assert equal(beyond.copy(dump(tmp_path, wide.replace("1.50", "92233720368547758.08"))))
    assert beyond.one("SELECT price FROM t WHERE id = 1") == "92233720368547758.08"


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        ("PGDMP\x01", "custom or tar form. Make it plain: pg_restore"),
        ("INSERT INTO public.t VALUES (1);\n", "INSERT statements. Make one with COPY: pg_dump"),
        ("SET client_encoding = 'LATIN1';\n", "written in LATIN1. Make it anew in UTF-8: pg_dump"),
        ("\\connect a\n\\connect b\n", "holds several databases"),
        ("no dump at all", "there is no table in public"),
        ("begins and never ends\n" * 20_001, "a statement of more than 20,000 lines"),
    ],
)
def test_what_is_no_plain_dump_is_refused_with_a_command(
    tmp_path: Path, begin: str, said: str
) -> None:
    with pytest.raises(HouseError) as caught:
        Place(tmp_path / "a").copy(dump(tmp_path, begin))
    assert said in str(caught.value)


def test_a_directory_and_a_strange_address_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HouseError, match="pg_restore"), opened_source(str(tmp_path), None, 1):
        pass
    with pytest.raises(click.UsageError, match="neither"), opened_source("mysql://x/y", None, 1):
        pass
    with pytest.raises(HouseError, match="cannot be read"), opened_source("/no/file", None, 1):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", ["--format=custom", "--format=tar", "--inserts", "--encoding=LATIN1"]
)
def test_other_forms_of_pg_dump_are_refused(postgres: Postgres, tmp_path: Path, form: str) -> None:
    path = postgres.dump(postgres.database(SCHEMA + ROWS), tmp_path / "old", form)
    with pytest.raises(HouseError, match=r"pg_(restore|dump) "):
        Place(tmp_path / "a").copy(path)


@pytest.mark.parametrize("within", ["COPY public.t (id) FROM stdin;\n", ""], ids=["rows", "words"])
def test_a_line_without_an_end_fills_no_memory(tmp_path: Path, within: str) -> None:
    path = dump(tmp_path, HEAD + within + "1")
    with path.open("ab") as file:
        file.truncate(path.stat().st_size + LINE_BYTES_MAX + 1)  # Zeros, and no end.
    with (
        pytest.raises(HouseError, match="a line of more than 64 MiB"),
        opened_source(str(path), None, 10),
    ):
        pass
