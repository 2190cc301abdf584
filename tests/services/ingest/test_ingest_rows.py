"""The exchange's rows, the narrow import and the addresses that ingest may know."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from schema.streams import owned_by
from services.ingest import HEARS, NAME, SAYS
from services.ingest.edge_budget import Budget
from services.ingest.edge_session import open_binance
from services.ingest.numbers import trace_of
from services.ingest.rows import fetched_bar, fetched_trade, live_quote, live_trade
from tests.services.ingest.exchange import settings

ROOT = Path(__file__).parents[3]


def test_the_card_is_what_the_registry_says() -> None:
    assert NAME == "ingest"
    assert HEARS == ("gateway.order",)
    assert set(SAYS) | {"ingest.hb"} == {stream.name for stream in owned_by(NAME)}


def test_rows_keep_the_text_of_every_number() -> None:
    by_rest = {
        "id": 7,
        "price": "0.10",
        "qty": "1.50",
        "time": 9,
        "isBuyerMaker": True,
        "quoteQty": "1",
    }
    live = {"e": "trade", "t": 7, "p": "0.10", "q": "1.50", "T": 9, "m": True}
    assert fetched_trade(by_rest) == live_trade(live) == (7, "0.10", "1.50", 9, True)
    quote = live_quote("A/B", {"b": "1.0", "B": "2", "a": "3", "A": "4", "u": 5}, 6)
    assert (quote.bid_px, quote.ask_qty, quote.update_id) == ("1.0", "4", 5)
    row = [60_000, "1.0", "2.0", "0.5", "1.5", "9.99", 119_999, "12.34", 3, "0", "0", "0"]
    assert fetched_bar(row) == (60_000, "1.0", "2.0", "0.5", "1.5", "9.99", "12.34", 3)


def test_a_trade_has_the_same_trace_whenever_it_is_heard() -> None:
    assert trace_of("BTC/USDT", 7) == trace_of("BTC/USDT", 7)
    assert trace_of("BTC/USDT", 7) != trace_of("BTC/USDT", 8)
    assert 0 < trace_of("BTC/USDT", 7) < 1 << 63


def addresses(found: object) -> list[str]:
    if isinstance(found, dict):
        return [address for value in found.values() for address in addresses(value)]
    return [str(found)]


def test_in_local_mode_no_address_but_the_venue_is_known() -> None:
    exchange = open_binance(settings(port=8123), Budget(0.5))
    assert {a.split("/")[2] for a in addresses(exchange.urls["api"])} == {"127.0.0.1:8123"}


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_elsewhere_the_exchange_itself_is_asked_and_never_with_a_key(mode: str) -> None:
    exchange = open_binance(msgspec.structs.replace(settings(), mode=mode), Budget(0.5))
    assert exchange.urls["api"]["public"].startswith("https://api.binance.com/")
    assert not exchange.apiKey
    assert not exchange.secret


def test_ccxt_is_imported_without_its_other_exchanges() -> None:
    code = (
        "import sys, services.ingest.edge, services.ingest.edge_depth, ccxt;"
        "assert ccxt.pro.binance is services.ingest.edge_depth.binance;"
        "assert sys.modules['ccxt.kraken'].kraken is None;"
        "assert 'numpy' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_core_needs_neither_ccxt_nor_numpy() -> None:
    code = (
        "import sys, services.ingest.core;"
        "assert not {'ccxt', 'numpy', 'aiohttp', 'asyncio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
