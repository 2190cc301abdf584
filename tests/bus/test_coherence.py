"""The settings of trading: each that is wrong, or wrong beside another, is refused by its name."""

from pathlib import Path

import pytest

from tests.bus.houses import checkout, opened, refusal

WRONG = [
    ({"RRR_ENGINE__STRATEGIES": "moon"}, "`engine.strategies` is ['moon']: expected some of "),
    ({"RRR_ENGINE__STRATEGIES": '["pulse", "pulse"]'}, "`engine.strategies` holds pulse twice"),
    ({"RRR_ENGINE__INTENT_TTL_MS": "0"}, "`engine.intent_ttl_ms` is 0: Expected `int` >= 100"),
    ({"RRR_THRESHOLD__ENTER": "nan"}, "`threshold.enter` is nan"),
    ({"RRR_THRESHOLD__ENTER": "1.1"}, "`threshold.enter` is 1.1: Expected `float` <= 1.0"),
    ({"RRR_THRESHOLD__ENTER": "0.4"}, "RRR_THRESHOLD__ENTER: `threshold.exit` is 0.48: expected"),
    ({"RRR_THRESHOLD__EXIT": "0.53"}, "expected below `threshold.enter`, 0.53; it would sell"),
    ({"RRR_THRESHOLD__BUDGET": "0"}, "`threshold.budget` is 0: Expected `int` >= 1"),
    ({"RRR_THRESHOLD__BUDGET": "20001"}, "expected at most `risk.max_order_notional`, 20000"),
    ({"RRR_THRESHOLD__RISK_BPS": "0"}, "`threshold.risk_bps` is 0: Expected `int` >= 1"),
    ({"RRR_THRESHOLD__STOP_DEVIATIONS": "-1"}, "`threshold.stop_deviations` is -1.0"),
    ({"RRR_GATEWAY__MAX_ORDER_NOTIONAL": "9999"}, "Mend `gateway.max_order_notional` in RRR_"),
    ({"RRR_RISK__MAX_GROSS_EXPOSURE": "40"}, "RRR_RISK__MAX_GROSS_EXPOSURE: `threshold.budget`"),
    ({"RRR_RISK__DAILY_LOSS": "-1"}, "`risk.daily_loss` is -1: Expected `int` >= 1"),
    ({"RRR_RISK__VERDICT_TTL_MS": "0"}, "`risk.verdict_ttl_ms` is 0: Expected `int` >= 100"),
    ({"RRR_RISK__PRICE_COLLAR_BPS": "0"}, "`risk.price_collar_bps` is 0"),
    ({"RRR_GATEWAY__COLLAR_BPS": "10000"}, "`gateway.collar_bps` is 10000"),
    ({"RRR_GATEWAY__POLL_MS": "0"}, "`gateway.poll_ms` is 0: Expected `int` >= 100"),
    ({"RRR_GATEWAY__RISK_SILENCE_MS": "100"}, "`gateway.risk_silence_ms` is 100"),
    ({"RRR_PULSE__HOLD_S": "300"}, "RRR_PULSE__HOLD_S: `pulse.hold_s` is 300: expected below"),
    ({"RRR_PULSE__NOTIONAL": "30000"}, "`pulse.notional` is 30000: expected at most"),
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
    assert said.startswith("settings.local.toml: `threshold.budget` is 10000: expected at most")
    assert "Mend `risk.max_position_notional` in settings.local.toml" in said


HARMLESS = [
    {"RRR_ENGINE__STRATEGIES": ""},
    {"RRR_ENGINE__STRATEGIES": "pulse", "RRR_THRESHOLD__BUDGET": "90000"},
    {"RRR_ENGINE__STRATEGIES": "threshold", "RRR_PULSE__HOLD_S": "900"},
    {"RRR_RISK__MAX_ORDER_NOTIONAL": "50000"},
    {"RRR_GATEWAY__ORDER_RATE": "1"},
    {"RRR_VENUE__BALANCES": "USDT 0"},
    {"RRR_VENUE__MAKER_BPS": "0"},
    {"RRR_PREDICTOR__TRAIN": "false", "RRR_PREDICTOR__HISTORY_BARS": "500"},
]


@pytest.mark.parametrize("environ", HARMLESS)
def test_what_only_trades_less_is_not_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    opened(checkout(tmp_path), **environ)
