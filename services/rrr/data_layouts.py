"""Which column of a file is what: by the names in its first line, or by a format that has none.

Recognised by their headers are the files of Binance, freqtrade, CryptoDataDownload, Bitfinex with
names, and any other that names time, open, high, low, close and volume. Without a header, twelve
columns are klines of Binance; fewer can be read in more than one way, and are refused until a
person says which.
"""

import re

import msgspec

from bus.errors import HouseError

PRICES = ("open", "high", "low", "close")
NEEDED = ("time", *PRICES, "volume")
TIMES = (
    *("timestamp", "timestamp_ms", "open_time", "opentime", "open_time_ms", "unix", "time"),
    *("date", "datetime", "time_open", ""),
)
"""Names of the time at which a bar opens; the first of them that a file has is it."""

VOLUMES = ("volume", "vol", "base_volume", "amount")
QUOTE_VOLUMES = ("quote_volume", "quote_asset_volume", "quoteassetvolume", "turnover", "value")
TRADES = ("trades", "count", "number_of_trades", "num_trades", "tradecount", "trade_count")
DATES = ("date", "datetime")
SYMBOLS = ("symbol", "pair", "ticker")
DELIMITERS = ",;\t|"
BINANCE_COLUMNS = 12

BINANCE = {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote": 7}
PLAIN = {name: at for at, name in enumerate(NEEDED)}
BITFINEX = {"time": 0, "open": 1, "close": 2, "high": 3, "low": 4, "volume": 5}
BARE = {
    "binance": {**BINANCE, "trades": 8},
    "bitfinex": BITFINEX,
    "plain": PLAIN,
    "freqtrade": PLAIN,
    "lean": PLAIN,
}
"""Columns of files without a header, by the name that `--format` gives them."""

FORMATS = (*BARE, "cryptodatadownload")

_COMPACT = re.compile(rb"[0-9]{8} [0-9]{2}:[0-9]{2}")
_NUMBER = re.compile(rb"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
_START = re.compile(rb"[0-9]{8}(?: [0-9]{2}:[0-9]{2})?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*")


class LayoutError(HouseError):
    """A file whose columns are not known, with what to do."""


class Layout(msgspec.Struct, frozen=True):
    """How a file is laid out."""

    name: str
    columns: dict[str, int]
    count: int  # of columns
    skip: int  # lines before the first row
    delimiter: bytes = b","


def layout_of(first: bytes, wanted: str = "", base: str = "") -> Layout:
    """Return the layout of a file from its first lines; LayoutError where it is not certain.

    `base`, the asset that is traded, tells its volume from that of the quote asset.
    """
    if b"\0" in first or first[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise LayoutError("it is no text: expected lines of bars", "Export it as CSV, in UTF-8")
    lines = first.removeprefix(b"\xef\xbb\xbf").splitlines()
    skip = 0
    while skip < len(lines) and _is_remark(lines[skip]):
        skip += 1
    if skip == len(lines):
        raise LayoutError("it holds no rows", "Nothing can be read from it")
    line = lines[skip]
    delimiter = max(DELIMITERS, key=lambda one: line.count(one.encode())).encode()
    fields = [field.strip().strip(b'"') for field in line.split(delimiter)]
    if _is_row(fields):
        return _bare(fields, skip, delimiter, wanted)
    linked = skip > 0 and b"://" in lines[skip - 1]
    return _with_names(fields, skip, delimiter, base.lower(), linked=linked)


def _is_remark(line: bytes) -> bool:
    # CryptoDataDownload begins with a link, others with remarks.
    return not line.strip() or line.startswith(b"#") or line.lower().startswith(b"http")


def _is_row(fields: list[bytes]) -> bool:
    begins = _NUMBER.fullmatch(fields[0]) or _START.fullmatch(fields[0])
    return bool(begins) and len(fields) > 1 and bool(_NUMBER.fullmatch(fields[1]))


def _bare(fields: list[bytes], skip: int, delimiter: bytes, wanted: str) -> Layout:
    count = len(fields)
    if not wanted and count == BINANCE_COLUMNS:
        wanted = "binance"
    if not wanted and _COMPACT.fullmatch(fields[0]):
        wanted = "lean"
    columns = BARE.get(wanted)
    if columns is None:
        raise _ambiguous(fields)
    if max(columns.values()) >= count:
        raise LayoutError(
            f"it has {count} columns and no header: {wanted} has {max(columns.values()) + 1}",
            "Name another --format, or put a line with the names of the columns before the rows",
        )
    return Layout(wanted, columns, count, skip, delimiter)


def _ambiguous(fields: list[bytes]) -> LayoutError:
    texts = [field.decode(errors="replace") for field in fields]
    if len(texts) < len(NEEDED):
        return LayoutError(
            f"it has {len(texts)} columns and no header: a bar has at least {len(NEEDED)}",
            "Nothing can be read from it",
        )
    readings = " or ".join(
        f"--format {name}: " + " ".join(f"{role}={texts[at]}" for role, at in BARE[name].items())
        for name in ("plain", "bitfinex")
    )
    return LayoutError(
        f"it has {len(texts)} columns and no header, so its first row can be read in two ways: "
        f"{readings}",
        "Say which with --format",
    )


def _with_names(
    fields: list[bytes], skip: int, delimiter: bytes, base: str, *, linked: bool
) -> Layout:
    names = [_plain_name(field) for field in fields]
    columns = {role: names.index(role) for role in PRICES if role in names}
    columns |= _first(names, TIMES, "time") | _first(names, TRADES, "trades")
    columns |= _first(names, SYMBOLS, "symbol") | _volumes(names, base)
    dates = [at for at, name in enumerate(names) if name in DATES and at != columns.get("time")]
    columns |= dict(zip(("date",), dates[:1], strict=False))
    missing = [role for role in NEEDED if role not in columns]
    if missing:
        shown = " ".join(names)[:120]
        raise LayoutError(
            f"it has no column for {', '.join(missing)}: its first line is {shown!r}",
            "Expected a header with time, open, high, low, close and volume",
        )
    known = {"unix", "tradecount"} & set(names) or linked
    name = "cryptodatadownload" if known else _style(names)
    return Layout(name, columns, len(names), skip + 1, delimiter)


def _style(names: list[str]) -> str:
    if names.index("close") < names.index("high"):
        return "bitfinex"
    if "close_time" in names or "quote_asset_volume" in names:
        return "binance"
    return "freqtrade" if names[0] == "date" else "plain"


def _plain_name(field: bytes) -> str:
    text = field.decode("utf-8", errors="replace").strip().lower()
    return re.sub(r"[ .-]+", "_", text)


def _first(names: list[str], known: tuple[str, ...], role: str) -> dict[str, int]:
    return next(({role: names.index(name)} for name in known if name in names), {})


def _volumes(names: list[str], base: str) -> dict[str, int]:
    # CryptoDataDownload has two, `Volume BTC` and `Volume USDT`, not always in this order.
    found = _first(names, VOLUMES, "volume") | _first(names, QUOTE_VOLUMES, "quote")
    of_assets = [at for at, name in enumerate(names) if name.startswith("volume_")]
    of_assets.sort(key=lambda at: names[at] != f"volume_{base}")
    if "volume" not in found and of_assets:
        found["volume"] = of_assets.pop(0)
    if "quote" not in found and of_assets:
        found["quote"] = of_assets[0]
    return found
