"""The settings of trading: each that is wrong, or wrong beside another, is refused by its name."""

from pathlib import Path

import pytest

from schema.identity import strategy_tag
from tests.bus.houses import checkout, opened, refusal

WRONG = [
    ({"RRR_ENGINE__INTENT_TTL_MS": "0"}, "`engine.intent_ttl_ms` is 0: Expected `int` >= 100"),
    ({"RRR_ENGINE__CALL_MS": "5"}, "`engine.call_ms` is 5: Expected `int` >= 10"),
    ({"RRR_ENGINE__MEMORY_MIB": "0"}, "`engine.memory_mib` is 0: Expected `int` >= 128"),
    ({"RRR_ENGINE__RESIZE_PCT": "-1"}, "`engine.resize_pct` is -1: Expected `int` >= 0"),
    ({"RRR_ENGINE__CASH_RESERVE_BPS": "5001"}, "`engine.cash_reserve_bps` is 5001"),
    (
        {"RRR_STRATEGY__THRESHOLD__BUDGET": "25001"},
        (
            "RRR_STRATEGY__THRESHOLD__BUDGET: `strategy.threshold.budget` is 25001: "
            "expected at most `risk.max_position_notional`, 25000; its orders would be denied"
        ),
    ),
    (
        {"RRR_RISK__MAX_GROSS_EXPOSURE": "9999"},
        (
            "RRR_RISK__MAX_GROSS_EXPOSURE: `strategy.threshold.budget` is 10000: expected at most "
            "`risk.max_gross_exposure`, 9999"
        ),
    ),
    (
        {"RRR_STRATEGY__PULSE__SYMBOLS": "DOGE/USDT"},
        (
            "RRR_STRATEGY__PULSE__SYMBOLS: `strategy.pulse.symbols` names DOGE/USDT: expected "
            "some of those that this house trades, BTC/USDT ETH/USDT SOL/USDT"
        ),
    ),
    (
        {"RRR_STRATEGY__TREND__SYMBOLS": "DOGE/USDT", "RRR_STRATEGY__TREND__MODE": "shadow"},
        "set `strategy.trend.mode` to off",
    ),
    ({"RRR_RISK__DAILY_LOSS": "-1"}, "`risk.daily_loss` is -1: Expected `int` >= 1"),
    ({"RRR_RISK__VERDICT_TTL_MS": "0"}, "`risk.verdict_ttl_ms` is 0: Expected `int` >= 100"),
    ({"RRR_RISK__PRICE_COLLAR_BPS": "0"}, "`risk.price_collar_bps` is 0"),
    ({"RRR_GATEWAY__COLLAR_BPS": "10000"}, "`gateway.collar_bps` is 10000"),
    ({"RRR_GATEWAY__POLL_MS": "0"}, "`gateway.poll_ms` is 0: Expected `int` >= 100"),
    ({"RRR_GATEWAY__RISK_SILENCE_MS": "100"}, "`gateway.risk_silence_ms` is 100"),
    ({"RRR_PREDICTOR__HISTORY_BARS": "10"}, "`predictor.history_bars` is 10: Expected"),
    ({"RRR_PREDICTOR__HISTORY_BARS": "500"}, "expected at least 545, 500 and three horizons"),
    (
        {"RRR_PREDICTOR__HORIZON_BARS": "1440", "RRR_PREDICTOR__HISTORY_BARS": "4000"},
        "expected at least 4820",
    ),
    ({"RRR_PREDICTOR__EPOCHS": "0"}, "`predictor.epochs` is 0"),
    ({"RRR_VENUE__BALANCES": "BTC 1"}, "holds BTC: expected some USDT"),
    ({"RRR_VENUE__BALANCES": ""}, "holds nothing: expected some USDT"),
    ({"RRR_VENUE__BALANCES": '["USDT 1", "USDT 2"]'}, "`venue.balances` holds USDT twice"),
    ({"RRR_GATEWAY__RING_FENCE": '["BTC 1", "BTC 2"]'}, "`gateway.ring_fence` holds BTC twice"),
    ({"RRR_VENUE__BALANCES": "USDT -1"}, "RRR_VENUE__BALANCES: `venue.balances` is ['USDT -1']"),
    ({"RRR_VENUE__BALANCES": "USDT 99999999999"}, "`venue.balances` is ['USDT 99999999999']"),
    ({"RRR_VENUE__TAKER_BPS": "1001"}, "`venue.taker_bps` is 1001: Expected `int` <= 1000"),
]


@pytest.mark.parametrize(("environ", "says"), WRONG)
def test_a_setting_that_would_not_trade_as_meant_is_refused(
    tmp_path: Path, environ: dict[str, str], says: str
) -> None:
    assert says in refusal(checkout(tmp_path), **environ)


def test_the_file_that_changed_something_is_the_one_to_mend(tmp_path: Path) -> None:
    root = checkout(tmp_path, "[risk]\nmax_position_notional = 5000\n")
    said = refusal(root)
    assert said.startswith(
        "settings.local.toml: `strategy.threshold.budget` is 10000: expected at most"
    )
    assert "Mend `risk.max_position_notional` in settings.local.toml" in said


HARMLESS = [
    {"RRR_STRATEGY__THRESHOLD__MODE": "off", "RRR_STRATEGY__PULSE__MODE": "off"},
    {"RRR_STRATEGY__THRESHOLD__MODE": "off", "RRR_STRATEGY__THRESHOLD__BUDGET": "90000"},
    {"RRR_STRATEGY__THRESHOLD__MODE": "shadow", "RRR_STRATEGY__THRESHOLD__BUDGET": "90000"},
    {"RRR_STRATEGY__TREND__SYMBOLS": "DOGE/USDT"},
    {"RRR_STRATEGY__PULSE__SYMBOLS": "ETH/USDT"},
    {"MODE": "backtest", "RRR_STRATEGY__PULSE__SYMBOLS": "DOGE/USDT"},
    {"MODE": "backtest", "RRR_STRATEGY__PULSE__BUDGET": "90000"},
    {"RRR_VENUE__SYMBOL": "DOGE/EUR", "RRR_VENUE__BALANCES": "EUR 1000"},
    {"RRR_RISK__MAX_ORDER_NOTIONAL": "50000"},
    {"RRR_GATEWAY__ORDER_RATE": "1"},
    {"RRR_VENUE__BALANCES": "USDT 0"},
    {"RRR_VENUE__MAKER_BPS": "0"},
    {"RRR_PREDICTOR__TRAIN": "false", "RRR_PREDICTOR__HISTORY_BARS": "500"},
]


@pytest.mark.parametrize("environ", HARMLESS)
def test_what_only_trades_less_is_not_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    opened(checkout(tmp_path), **environ)


def test_two_strategies_whose_orders_could_not_be_told_apart_are_refused(tmp_path: Path) -> None:
    first, second = same_tag()
    table = '[strategy.{}]\nfile = "a.py"\nbudget = 1\nmode = "off"\n'
    said = refusal(checkout(tmp_path, table.format(first) + table.format(second)))
    assert said.startswith(f"settings.local.toml: the orders of `{second}` and of `{first}` would")
    assert f"Choose another name for [strategy.{second}] in settings.local.toml" in said


def same_tag() -> tuple[str, str]:
    owners: dict[str, str] = {}
    for number in range(1 << 17):
        name = f"s{number}"
        other = owners.setdefault(strategy_tag(name), name)
        if other != name:
            return other, name
    raise AssertionError
