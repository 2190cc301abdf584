"""Every form in which people publish bars becomes the same bars, exactly."""

import datetime as dt
import gzip
import zipfile
from pathlib import Path

import pytest

from services.rrr.data_sources import ENTRIES_MAX, SourceError, sources
from tests.services.rrr.data_desk import Desk, expected, lines, opens_s, values

FIVE = range(5)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("unit", [1, 1000, 10**6, 10**9], ids=["s", "ms", "us", "ns"])
def test_epochs_of_all_units_are_told_apart(desk: Desk, unit: int) -> None:
    file = desk.take(desk.write(lines(FIVE, unit)))
    assert (file["status"], file["bars"], file["added"]) == ("imported", 5, 5)
    assert desk.bars() == expected(FIVE)


def test_units_may_differ_from_row_to_row(desk: Desk) -> None:
    mixed = [lines([n], 10 ** (3 * (n % 4)))[0] for n in FIVE]
    mixed[0] = mixed[0].replace(",", ".0,", 1)
    desk.take(desk.write(mixed))
    assert desk.bars() == expected(FIVE)


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S+00:00",
     "%Y-%m-%d %H:%M:%S.000000"],
)  # fmt: skip
def test_dates_are_read_as_utc_where_they_can_mean_one_thing(desk: Desk, form: str) -> None:
    dates = [dt.datetime.fromtimestamp(opens_s(n), dt.UTC).strftime(form) for n in FIVE]
    rows = [",".join([date, *values(n)]) for n, date in zip(FIVE, dates, strict=True)]
    desk.take(desk.write(rows, header="date,open,high,low,close,volume"))
    assert desk.bars() == expected(FIVE)


@pytest.mark.parametrize("text", ["03/01/2024 00:00", "1-Mar-24", "01.03.2024", "2024-02-30 00:00"])
def test_a_date_that_can_mean_two_things_is_a_bad_row(desk: Desk, text: str) -> None:
    rows = [*lines(FIVE), ",".join([text, *values(9)])]
    file = desk.take(desk.write(rows))
    assert (file["bars"], file["bad"]) == (5, 1)
    assert file["shown"][0]["found"] == text


def test_klines_of_binance_need_no_header_and_keep_quote_volume_and_trades(desk: Desk) -> None:
    rows = [
        f"{line},{opens_s(n) * 1000 + 59999},12.5,{n + 7},1,2,0"
        for n, line in enumerate(lines(FIVE))
    ]
    file = desk.take(desk.write(rows, "BTCUSDT-1m-2024-03.csv", header=""))
    assert file["format"] == "binance"
    assert [row[-2:] for row in desk.bars()] == [("12.5", str(n + 7)) for n in FIVE]


def test_klines_of_binance_in_microseconds_from_a_zip_with_a_header(desk: Desk) -> None:
    header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore"
    rows = [
        f"{line},{opens_s(n)}000000,12.5,{n},1,2,0" for n, line in enumerate(lines(FIVE, 10**6))
    ]
    path = desk.path / "BTCUSDT-1m-2024-03.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-1m-2024-03.csv", "\n".join([header, *rows]))
    file = desk.take(path)
    assert (file["format"], file["bars"]) == ("binance", 5)
    assert [row[:6] for row in desk.bars()] == [row[:6] for row in expected(FIVE)]


def test_a_zip_of_too_many_files_is_refused_at_once(desk: Desk) -> None:
    path = desk.path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(ENTRIES_MAX + 1):
            archive.writestr(f"{number}.csv", "")
    with pytest.raises(SourceError, match=f"{ENTRIES_MAX + 1} files in it") as refused:
        sources([path])
    assert "unpack it" in refused.value.hint


def test_a_zip_is_read_where_it_is_whatever_its_entries_are_named(desk: Desk) -> None:
    path = desk.path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../BTC_USDT-1m.csv", "t,open\n1,2")
        archive.writestr(
            "/etc/ETH_USDT-1m.csv",
            "\n".join(["timestamp,open,high,low,close,volume", *lines(FIVE)]),
        )
    answer = desk.rrr("import", path, "--json", "--no-archive")
    assert [one["status"] for one in answer.files] == ["refused", "imported"]
    assert not (desk.path.parent / "BTC_USDT-1m.csv").exists()
    assert sorted(one.name for one in desk.path.iterdir()) == ["home", "two.zip"]


def test_columns_in_the_order_of_bitfinex_are_known_by_their_names(desk: Desk) -> None:
    rows = [
        ",".join([str(opens_s(n) * 1000), o, c, h, low, v])
        for n in FIVE
        for o, h, low, c, v in [values(n)]
    ]
    file = desk.take(desk.write(rows, header="timestamp_ms,open,close,high,low,volume"))
    assert (file["format"], file["exchange"]) == ("bitfinex", "bitfinex")
    assert desk.bars(exchange="bitfinex") == expected(FIVE)


def test_columns_without_names_are_refused_until_a_person_says_their_order(desk: Desk) -> None:
    rows = [
        ",".join([str(opens_s(n) * 1000), o, c, h, low, v])
        for n in FIVE
        for o, h, low, c, v in [values(n)]
    ]
    path = desk.write(rows, header="")
    file = desk.take(path)
    assert file["status"] == "refused"
    assert "--format plain: time=" in file["reason"]
    assert "--format bitfinex: time=" in file["reason"]
    desk.take(path, "--format", "bitfinex")
    assert desk.bars(exchange="bitfinex") == expected(FIVE)


def test_files_of_cryptodatadownload_begin_with_a_link_and_the_newest(desk: Desk) -> None:
    names = "Unix,Date,Symbol,Open,High,Low,Close,Volume USDT,Volume BTC,tradecount"
    head = f"https://www.CryptoDataDownload.com\n{names}"
    rows = []
    for n in reversed(FIVE):
        o, h, low, c, v = values(n)
        unix = f"{opens_s(n, '1h')}.0" if n % 2 else f"{opens_s(n, '1h')}000"
        date = f"2024-03-01 0{n}-AM" if n else "2024-03-01 12-AM"
        rows.append(f"{unix},{date},BTCUSDT,{o},{h},{low},{c},77.5,{v},{'NULL' if n % 2 else 9}")
    file = desk.take(desk.write(rows, "Binance_BTCUSDT_1h.csv", header=head))
    assert (file["format"], file["order"], file["out_of_order"]) == (
        "cryptodatadownload",
        "newest first",
        0,
    )
    assert (file["exchange"], file["dates_differ"]) == ("binance", 0)
    assert desk.bars(timeframe="1h") == [
        (*row, "77.5", "0" if n % 2 else "9") for n, row in enumerate(expected(FIVE, "1h", ()))
    ]


def test_lists_of_freqtrade_are_read_without_a_float(desk: Desk) -> None:
    rows = ",".join("[" + line + "]" for line in lines(FIVE))
    path = desk.path / "BTC_USDT-1m.json.gz"
    path.write_bytes(gzip.compress(f"[{rows}]".encode()))
    assert desk.take(path)["format"] == "freqtrade"
    assert desk.bars() == expected(FIVE)


def test_a_perpetual_of_freqtrade_belongs_to_the_futures_exchange(desk: Desk) -> None:
    file = desk.take(desk.write(lines(FIVE), "BTC_USDT_USDT-1m-futures.csv.gz"))
    assert (file["exchange"], file["symbol"]) == ("binanceusdm", "BTC/USDT:USDT")
    assert len(desk.bars("BTC/USDT:USDT", exchange="binanceusdm")) == 5


def test_days_of_lean_count_milliseconds_from_the_midnight_of_their_name(desk: Desk) -> None:
    rows = [",".join([str(n * 60_000), *values(n)]) for n in FIVE]
    path = desk.path / "20240301_trade.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("20240301_btcusdt_minute_trade.csv", "\n".join(rows))
    assert desk.take(path)["format"] == "lean"
    assert desk.bars() == expected(FIVE)
    hours = [",".join([f"20240301 0{n}:00", *values(n)]) for n in FIVE]
    desk.take(desk.write(hours, "hour/btcusdt.csv", header=""))
    assert desk.bars(timeframe="1h") == expected(FIVE, "1h")


@pytest.mark.parametrize("kind", ["BIGINT", "VARCHAR", "TIMESTAMP"])
def test_parquet_is_read_in_batches_and_exactly(desk: Desk, kind: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = desk.path / "BTC_USDT-1m [a]*.parquet"
    time = {"BIGINT": "t", "VARCHAR": "t::VARCHAR", "TIMESTAMP": "make_timestamp(t * 1000)"}[kind]
    rows = ", ".join(f"({line})" for line in lines(FIVE))
    with duckdb.connect(":memory:") as db:
        db.execute(
            f"COPY (SELECT {time} AS open_time, o AS open, h::DOUBLE AS high, l AS low, "
            f"c AS close, v AS volume FROM (VALUES {rows}) AS bars(t, o, h, l, c, v)) "
            f"TO '{path}' (FORMAT parquet)"
        )
    file = desk.take(path)
    assert (file["status"], file["restored"]) == ("imported", 0)
    assert desk.bars() == expected(FIVE)


def test_quoted_fields_other_delimiters_and_windows_lines_are_read(desk: Desk) -> None:
    header = '"Open Time";"Open";"High";"Low";"Close";"Volume"\r'
    rows = [";".join(f'"{field}"' for field in line.split(",")) + "\r" for line in lines(FIVE)]
    rows[1] = rows[1].replace('"', "").replace(";", " ; ")
    desk.take(desk.write(["", *rows, "", "  "], header="\ufeff" + header))
    assert desk.bars() == expected(FIVE)


def test_names_with_spaces_and_quotes_are_files_like_others(desk: Desk) -> None:
    path = desk.write(lines(FIVE), 'it\'s my "BTC_USDT" 1m $(x).csv')
    assert desk.take(path)["symbol"] == "BTC/USDT"


def test_feather_is_refused_with_a_way_out(desk: Desk) -> None:
    file = desk.take(desk.write([], "BTC_USDT-1m.feather"))
    assert "feather file, which is not read" in file["reason"]
    assert "freqtrade convert-data" in file["reason"]
