"""`rrr symbols`: one more and one less, checked with the exchange, refused while one is open."""

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from bus.errors import HouseError
from bus.settings import load
from schema.listing import instrument_of
from services.rrr import rrr
from services.rrr.symbols_held import Held
from tests.services.bare import entered_house
from tests.services.rrr.answering import Services
from tests.services.rrr.candle_server import Candles, candles, entry
from tests.services.rrr.data_desk import Answer
from tests.services.rrr.test_rrr_positions import held
from tests.services.rrr.trade_day import NOON_NS, SYMBOL, Day, bought

OTHERS = [name for name in os.environ if name.startswith(("RRR_", "MODE"))]
SHIPPED = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


@pytest.fixture
def day() -> Iterator[Day]:
    """A day in a house in which nothing runs, entered."""
    with entered_house() as house:
        yield Day(house)


@pytest.fixture
def exchange() -> Iterator[Candles]:
    with candles() as found:
        found.listing = {"BTCUSDT": "TRADING", "XRPUSDT": "TRADING", "LUNAUSDT": "BREAK"}
        yield found


def run(*words: str, **environ: str) -> Answer:
    inherited: dict[str, str | None] = dict.fromkeys(OTHERS)
    result = CliRunner(env={**inherited, **environ}).invoke(rrr, ["symbols", *words])
    error = result.exception
    if isinstance(error, HouseError):
        return Answer(error.exit_code, result.stdout, f"{result.stderr}{error}")
    return Answer(result.exit_code, result.stdout, result.stderr)


def written(day: Day) -> str:
    path = day.house.root / "settings.local.toml"
    return path.read_text() if path.exists() else ""


def symbols(day: Day) -> list[str]:
    return list(load(day.house.root, {}).settings.ingest.symbols)


def write(day: Day, text: str) -> None:
    (day.house.root / "settings.local.toml").write_text(text)


@pytest.mark.usefixtures("day")
def test_symbols_are_listed_with_who_trades_them() -> None:
    (first, *others) = json.loads(run("list", "--json").out)
    assert first["symbol"] == "BTC/USDT"
    assert (first["position"], first["open_orders"]) == ("0", [])
    assert [one["symbol"] for one in others] == SHIPPED[1:]
    assert run("list").out == run().out
    assert "SYMBOL" in run().out


def test_a_symbol_is_added_and_comments_stay(day: Day) -> None:
    write(day, "# mine\n[venue]\nseed = 43  # lucky\n")
    answer = run("add", "xrp/usdt", "--yes")
    assert answer.code == 0, answer.err
    assert "begins with the next `rrr up`" in answer.out
    assert symbols(day) == [*SHIPPED, "XRP/USDT"]
    assert written(day).startswith("# mine\n[venue]\nseed = 43  # lucky\n")


def test_where_ingest_has_its_own_both_lists_grow(day: Day) -> None:
    write(day, '[ingest]\nsymbols = ["BTC/USDT"]  # few\n')
    assert run("add", "XRP/USDT", "--yes").code == 0
    found = load(day.house.root, {}).settings
    assert found.ingest.symbols == ("BTC/USDT", "XRP/USDT")
    assert found.venue.symbol == (*SHIPPED, "XRP/USDT")
    assert "# few" in written(day)
    assert run("remove", "XRP/USDT", "--yes").code == 0
    assert load(day.house.root, {}).settings.ingest.symbols == ("BTC/USDT",)


@pytest.mark.parametrize(
    ("name", "said"),
    [("DOGE/USDT", "does not list DOGE/USDT"), ("LUNA/USDT", "says of LUNA/USDT: BREAK")],
)
def test_the_exchange_is_asked_before_anything_is_written(
    day: Day, exchange: Candles, name: str, said: str
) -> None:
    paper = {"MODE": "paper", "RRR_EXCHANGE__URL": exchange.url}
    answer = run("add", name, "--yes", **paper)
    assert answer.code == 1
    assert said in answer.err
    assert not written(day)
    answer = run("add", "XRP/USDT", "--yes", **paper)
    assert answer.code == 0, answer.err
    assert "lists it, and it trades" in answer.out
    assert "XRP/USDT" in written(day)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["add", "XRPUSDT"], 2, "is no symbol"),
        (["add", "btc/usdt"], 1, "already"),
        (["add", "XRP/EUR", "--yes"], 1, "priced in"),
        (["add", "XRP/USDT"], 2, "--yes"),
        (["remove", "XRP/USDT"], 1, "is none of"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    day: Day, words: list[str], code: int, said: str
) -> None:
    answer = run(*words)
    assert answer.code == code
    assert said in answer.err
    assert not written(day)


def test_the_environment_counts_more_and_is_named(day: Day) -> None:
    answer = run("add", "XRP/USDT", "--yes", RRR_VENUE__SYMBOL="BTC/USDT")
    assert answer.code == 1
    assert "is set by RRR_VENUE__SYMBOL" in answer.err
    assert not written(day)


def test_a_symbol_goes_and_the_last_one_stays(day: Day) -> None:
    assert run("remove", "ETH/USDT", "--yes").code == 0
    assert run("remove", "SOL/USDT", "--yes").code == 0
    assert symbols(day) == ["BTC/USDT"]
    assert load(day.house.root, {}).settings.venue.symbol == tuple(SHIPPED)  # It lists them still.
    assert run("add", "ETH/USDT", "--yes").code == 0
    assert run("remove", "ETH/USDT", "--yes").code == 0
    assert "is the only symbol" in run("remove", "BTC/USDT", "--yes").err


def test_a_position_keeps_its_symbol(day: Day) -> None:
    day.say(held())
    day.keep()
    answer = run("remove", SYMBOL, "--yes")
    assert answer.code == 1
    assert "is not removed: the account holds" in answer.err
    assert not written(day)
    (row, *_) = json.loads(run("list", "--json").out)
    assert Decimal(row["position"]) == Decimal("0.003")


def test_what_no_exchange_takes_keeps_no_symbol(day: Day) -> None:
    assert not Held("0.00949", (("`pulse` holds", "0.00949"),), (), Decimal("0.1")).text
    assert Held("0.1", (), (), Decimal("0.1")).text == "the account holds 0.1"
    day.say(instrument_of(entry("BTCUSDT"), NOON_NS), held(qty=99))
    day.keep()
    assert run("remove", SYMBOL, "--yes").code == 0


def test_an_open_order_keeps_its_symbol(day: Day) -> None:
    bought(day)  # Its stop waits.
    day.keep()
    answer = run("remove", SYMBOL, "--yes")
    assert answer.code == 1
    assert "is open" in answer.err


def test_a_strategy_that_names_it_is_told(day: Day) -> None:
    write(day, '[strategy.threshold]\nsymbols = ["ETH/USDT"]\n')
    answer = run("remove", "ETH/USDT", "--yes")
    assert answer.code == 1
    assert "`strategy.threshold.symbols`" in answer.err


def test_the_engine_is_asked_what_it_wants_of_it(day: Day) -> None:
    wants: list[Any] = [{"symbol": "ETH/USDT", "position": "0", "wants": "0.5"}]
    row = {"name": "threshold", "symbols": wants}
    services = Services(day.house, ("engine",), {("engine", "strategies"): (True, "", [row])})
    try:
        done = services.rrr("symbols", "remove", "ETH/USDT", "--yes")
        assert done.code == 1
        assert "`threshold` holds or wants 0.5" in done.err
        assert services.rrr("symbols", "remove", "SOL/USDT", "--yes").code == 0
    finally:
        services.close()
    assert symbols(day) == ["BTC/USDT", "ETH/USDT"]
