"""Files that other people recorded and published, with all that is wrong with them."""

import csv
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.services.market_desk import at
from tests.services.rrr.data_desk import REAL, Desk

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason="no recorded markets beside this checkout"
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def real(*parts: str) -> Path:
    path = REAL.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not among the recorded markets")
    return path


def as_written(path: Path) -> list[tuple[Decimal, ...]]:
    """Return the rows of a plain file as decimals, by Python's own reader."""
    with gzip.open(path, "rt", newline="") as file:
        rows = csv.DictReader(file)
        names = ("timestamp_ms", "open", "high", "low", "close", "volume")
        return [tuple(Decimal(row[name]) for name in names) for row in rows]


@pytest.mark.slow
def test_two_years_of_bitfinex_have_exactly_their_gaps(desk: Desk) -> None:
    years = ((2017, 505_209, 20_391), (2018, 520_499, 5_101))
    for year, bars, missing in years:
        path = real("bitfinex_zombie3000", f"BTCUSD_1m_{year}.csv.gz")
        file = desk.take(path, "--exchange", "bitfinex")
        assert (file["rows"], file["bars"], file["added"]) == (bars, bars, bars)
        assert (file["bad"], file["rounded"], file["restored"]) == (0, 0, 0)
        assert (file["missing"], file["prices_odd"]) == (missing, 0)
        assert (file["first"], file["last"]) == (
            f"{year}-01-01T00:00:00Z",
            f"{year}-12-31T23:59:00Z",
        )
    (found,) = desk.rrr("status", "BTC/USD", "--json", "--gaps", "1").json
    assert (found["rows"], found["missing"]) == (1_025_708, 25_492)
    assert found["gaps"] == [
        {"from": "2018-06-05T13:34:00Z", "to": "2018-06-05T14:40:00Z", "missing": 67}
    ]
    march = (at("2017-03-01T00:00:00"), at("2017-04-01T00:00:00"))
    rows = desk.bars("BTC/USD", exchange="bitfinex", span_ns=march)
    crash = next(row for row in rows if int(row[0]) * 10**9 == at("2017-03-10T13:28:00"))
    assert Decimal(crash[3]) / Decimal(crash[2]) < Decimal("0.83")
    written = as_written(real("bitfinex_zombie3000", "BTCUSD_1m_2017.csv.gz"))
    exact = [row for row in written if march[0] <= row[0] * 10**6 < march[1]]
    assert [(Decimal(row[0]) * 1000, *map(Decimal, row[1:6])) for row in rows] == exact


@pytest.mark.slow
def test_a_dirty_and_very_popular_file_is_taken_and_explained(desk: Desk) -> None:
    file = desk.take(real("quant", "crypto", "cdd_Binance_BTCUSDT_1h.csv"))
    assert (file["exchange"], file["format"], file["order"]) == (
        "binance", "cryptodatadownload", "newest first",
    )  # fmt: skip
    assert (file["rows"], file["bars"], file["duplicates"], file["bad"]) == (
        36_062,
        33_413,
        2_649,
        0,
    )
    assert (file["missing"], file["dates_differ"], file["prices_odd"]) == (16, 91, 1)
    told = desk.report(file)
    assert sum(one["what"] == "duplicate" for one in told) == 2_649
    (odd,) = [one for one in told if one["what"] == "price"]
    assert (odd["open"], odd["high"]) == ("2017-08-17T04:00:00Z", "16199.91")


@pytest.mark.slow
def test_spot_hours_and_futures_days_are_two_histories(desk: Desk) -> None:
    hours = desk.take(real("mu_binance_futures_1h", "BTC_USDT_1h.csv.gz"), "--exchange", "binance")
    days = desk.take(
        real("mu_binance_futures_1h", "BTC_USDT_1d.csv"),
        "--exchange", "binanceusdm", "--symbol", "BTC/USDT:USDT",
    )  # fmt: skip
    assert (hours["bars"], hours["missing"], hours["dates_differ"]) == (35_039, 1, 0)
    assert hours["gaps"][0]["from"] == "2023-03-24T13:00:00Z"
    assert (days["bars"], days["missing"], days["dates_differ"]) == (2_190, 0, 0)
    found = desk.rrr("status", "--json", "--gaps", "0").json
    assert [(one["exchange"], one["symbol"], one["timeframe"]) for one in found] == [
        ("binance", "BTC/USDT", "1h"), ("binanceusdm", "BTC/USDT:USDT", "1d"),
    ]  # fmt: skip


@pytest.mark.parametrize("base", ["ADA", "DASH", "ETH", "TRX", "ZEC"])
def test_floats_in_text_become_the_decimals_that_were_meant(desk: Desk, base: str) -> None:
    path = real("freqtrade", f"{base}_BTC-5m.csv.gz")
    file = desk.take(path)
    assert (file["bad"], file["rounded"]) == (0, 0)
    assert file["restored"] > 0
    assert file["exponents"][:2] == [8, 8]
    for row, written in zip(desk.bars(f"{base}/BTC", "5m"), as_written(path), strict=True):
        for one, text in zip(map(Decimal, row[1:6]), written[1:], strict=True):
            assert abs(one - text) <= text / 10**15


def test_minutes_make_the_five_minutes_that_were_published(desk: Desk) -> None:
    for frame in ("1m", "5m"):
        desk.take(real("freqtrade", f"XRP_ETH-{frame}.csv.gz"))
    answer = desk.rrr("fill", "XRP/ETH", "--timeframes", "5m", "--check", "--json", "--dry-run")
    (one,) = answer.json
    assert (one["built"], one["equal"], one["differing"]) == (0, 706, 0)


def test_the_same_candles_as_a_list_and_as_lines_are_one_import(desk: Desk) -> None:
    first = desk.take(real("freqtrade", "UNITTEST_BTC-1m.csv.gz"))
    again = desk.take(real("freqtrade", "UNITTEST_BTC-1m.json"))
    assert (first["bars"], again["status"], again["added"]) == (13_681, "already imported", 0)


@pytest.mark.parametrize(("base", "bars"), [("BTC", 43_199), ("SOL", 43_200), ("ETH", 60_191)])
def test_gapless_futures_minutes_stay_gapless(desk: Desk, base: str, bars: int) -> None:
    name = f"{base}_USDT_USDT-1m-futures.csv.gz"
    file = desk.take(real("typhonun_DcaTpStrategy", name))
    assert (file["exchange"], file["symbol"]) == ("binanceusdm", f"{base}/USDT:USDT")
    assert (file["bars"], file["missing"], file["bad"], file["rounded"]) == (bars, 0, 0, 0)


def test_gapless_minutes_with_dates_in_text_are_read(desk: Desk) -> None:
    path = real("quant", "crypto", "btc-perp-20211231-20220201_1m.csv")
    file = desk.take(path, "--symbol", "BTC/USD", "--exchange", "ftx")
    assert (file["bars"], file["missing"], file["bad"]) == (45_031, 0, 0)


@pytest.mark.slow
def test_everything_that_people_recorded_is_taken_or_refused_with_a_reason(desk: Desk) -> None:
    answer = desk.rrr("import", REAL, "--exchange", "other", "--json", "--dry-run")
    assert answer.code == 0
    files: list[dict[str, Any]] = answer.files
    taken = [one for one in files if one["status"] == "compared"]
    assert len(taken) > 55
    assert all(one["reason"] for one in files if one["status"] == "refused")
    for one in taken:
        parts = one["bars"] + one["bad"] + one["same"] + one["duplicates"]
        assert parts == one["rows"]
