"""Which type of PostgreSQL is kept as what; everything unknown is kept as the text it shows."""

import re
from collections.abc import Callable

from services.rrr import pg_values as values
from services.rrr.pg_arrays import array_keeping
from services.rrr.pg_values import Keeping

WHOLE = frozenset({"smallint", "integer", "bigint", "oid"})
SURE_DIGITS = 18
"""So many digits fit 64 bits, whichever they are."""

NOT_FINITE = "('NaN', 'Infinity', '-Infinity')"
REAL_SQL = (
    f"CASE WHEN {{0}}::float8 = 'NaN' THEN '{values.NAN}' "
    "ELSE encode(float8send({0}::float8 + 0), 'hex') END"
)
FINITE_SQL = f"CASE WHEN concat({{0}}) NOT IN {NOT_FINITE} THEN {{0}} END"
REAL_PLAIN = "CASE WHEN {0}::float8 <> 'NaN' THEN {0}::float8 + 0 END"

_arguments = re.compile(r"\(\s*([0-9]+)\s*(?:,\s*(-?[0-9]+)\s*)?\)")

IsJson = Callable[[str], bool]


def keeping_of(
    source_type: str, is_json: IsJson, labels: tuple[str, ...] = (), *, fits: bool = False
) -> Keeping:
    """Return how a column is kept; `fits`: all decimals that are there fit 64 bits."""
    if source_type.endswith("[]"):
        element = source_type.removesuffix("[]")
        if base_name(element) == "box":  # The only one with another mark between its elements.
            return _text("as PostgreSQL shows it")
        return array_keeping(base_name(element), keeping_of(element, is_json))
    if labels:
        return _text(f"an enum of {', '.join(labels)}")
    name = base_name(source_type)
    if name == "numeric":
        return _numeric(source_type, fits=fits)
    if name in {"json", "jsonb"}:
        return _json(name, is_json)
    return SIMPLE.get(name) or _text("as PostgreSQL shows it")


def base_name(source_type: str) -> str:
    """Return a type without its arguments."""
    return re.sub(r"\s*\([^)]*\)", "", source_type).strip()


def is_wide(source_type: str) -> bool:
    """Return whether it takes a look at the numbers to know if they fit 64 bits."""
    precision, _ = precision_of(source_type)
    return base_name(source_type) == "numeric" and precision > SURE_DIGITS


def precision_of(source_type: str) -> tuple[int, int]:
    """Return digits and decimals of a numeric; zeros when it has none of its own."""
    found = _arguments.search(source_type)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _text(rule: str) -> Keeping:
    return Keeping("TEXT", "text", rule, values.read_text, values.same)


def _json(name: str, is_json: IsJson) -> Keeping:
    def read(text: str) -> str:
        if not is_json(values.read_text(text)):
            raise values.UnfitError("no JSON that SQLite can read")
        return text

    canonical = "JSON in the canonical form of jsonb" if name == "jsonb" else "JSON as written"
    return Keeping("TEXT", "json", canonical, read, values.same)


def _numeric(source_type: str, *, fits: bool) -> Keeping:
    precision, places = precision_of(source_type)
    if precision and (precision <= SURE_DIGITS or fits):
        return Keeping(
            *("INTEGER", "whole", f"an integer, x 10^{places}"),
            *(values.scaled(places), values.unscaled(places)),
            stat="whole",
            exponent=places,
            plain=FINITE_SQL,
            read_all=values.all_integers(places) if places >= 0 else None,
        )
    return Keeping(
        *("TEXT", "decimal", "decimal text, every digit", values.read_decimal, values.same),
        stat="decimal",
        plain=FINITE_SQL,
    )


def _whole() -> Keeping:
    return Keeping(
        *("INTEGER", "whole", "an integer", values.read_whole, str),
        stat="whole",
        exponent=0,
        read_all=values.all_integers(0),
    )


def _real(read: Callable[[str], float], rule: str) -> Keeping:
    return Keeping(
        *("REAL", "real", rule, read, values.write_real),
        normal=values.normal_real(read),
        sql=REAL_SQL,
        stat="real",
        plain=REAL_PLAIN,
    )


ASSUMED = "microseconds since 1970; it has no zone there, UTC is assumed"

SIMPLE: dict[str, Keeping] = {
    **dict.fromkeys(WHOLE, _whole()),
    "double precision": _real(values.read_real, "a double; infinities stay, -0 is 0"),
    "real": _real(values.read_single, "the double that equals the 32 bits; -0 is 0"),
    "boolean": Keeping(
        *("INTEGER", "boolean", "0 or 1", values.read_boolean, lambda kept: "t" if kept else "f")
    ),
    "uuid": Keeping("BLOB", "uuid", "16 bytes", values.read_uuid, values.write_uuid),
    "bytea": Keeping(
        *("BLOB", "bytes", "its bytes", values.read_bytes, values.write_bytes),
        normal=lambda text: text if text.startswith("\\x") else _hexed(text),
    ),
    "date": Keeping("TEXT", "day", "ISO text", values.read_date, values.same),
    "timestamp with time zone": Keeping(
        *("INTEGER", "instant", "microseconds since 1970, UTC"),
        *(values.read_time, values.write_instant),
        normal=values.normal_instant,
    ),
    "timestamp without time zone": Keeping(
        "INTEGER", "local_time", ASSUMED, values.read_time, values.write_time
    ),
}


def _hexed(text: str) -> str:
    try:
        return values.write_bytes(values.read_bytes(text))
    except values.UnfitError:
        return text
