"""The predictor's core: what it says on bars and on models, and how it keeps score."""

from typing import Any

import msgspec
import pytest

from schema.forecast import Forecast, ModelCard, Score, TrainingChanged
from schema.house import Command, CommandDone
from schema.market import Bar
from services.predictor import baseline
from services.predictor.core import Predictor
from services.predictor.features import LOOKBACK
from services.predictor.scoring import SCORE_EVERY
from tests.services.predictor.arrivals import arrived
from tests.services.predictor.markets import MINUTE_NS, bar, settings, walk


def heard(core: Predictor, bars: list[Bar], late_ns: int = 0) -> list[Any]:
    """Let a core hear bars as they close, and return what it says."""
    found: list[Any] = []
    for one in bars:
        for out in core.handle(one, one.ts_event + late_ns):
            core.apply(out)  # type: ignore[arg-type]
            found.append(out)
    return found


def forecasts(outs: list[Any]) -> list[Forecast]:
    return [out for out in outs if isinstance(out, Forecast)]


def test_each_closed_bar_leads_to_one_forecast() -> None:
    core = Predictor(settings())
    bars = walk(LOOKBACK + 20)
    found = forecasts(heard(core, bars))
    assert [one.bar_open_ns for one in found] == [one.open_ns for one in bars[LOOKBACK:]]
    last = found[-1]
    assert (last.ts_event, last.symbol, last.timeframe) == (bars[-1].ts_event, "BTC/USDT", "1m")
    assert (last.horizon_ns, last.source, last.model) == (15 * MINUTE_NS, "baseline", baseline.NAME)
    assert last.confidence == pytest.approx(abs(2 * last.probability_up - 1))
    assert (last.expected_return > 0) == (last.probability_up > 0.5)
    assert abs(last.expected_return) < 0.001 * 15


def test_bars_of_another_length_or_symbol_are_not_its_own() -> None:
    core = Predictor(settings())
    assert not heard(core, walk(80, timeframe="5m"))
    assert not heard(core, walk(80, symbol="DOGE/USDT"))
    assert not core.state.windows.lines


def test_history_teaches_and_is_no_news() -> None:
    core = Predictor(settings())
    assert not heard(core, walk(500), late_ns=8 * MINUTE_NS)
    assert core.state.windows.logistic.outcomes == 500 - LOOKBACK - 15
    assert len(forecasts(heard(core, [bar(500)]))) == 1


def test_a_bar_that_comes_twice_is_heard_once() -> None:
    core = Predictor(settings())
    bars = walk(80)
    heard(core, bars)
    assert not heard(core, bars[-5:])


def test_the_baseline_learns_what_a_market_does() -> None:
    core = Predictor(settings(horizon_bars=1))
    last = forecasts(heard(core, walk(4000, echo=0.8)))[-500:]
    spread = max(one.probability_up for one in last) - min(one.probability_up for one in last)
    assert spread > 0.1
    weights = dict(core.counters())
    assert weights["outcomes"] > 3900


def test_forecasts_are_held_against_what_came() -> None:
    core = Predictor(settings())
    outs = heard(core, walk(LOOKBACK + 15 + SCORE_EVERY + 1))
    (score,) = [out for out in outs if isinstance(out, Score)]
    said_at = forecasts(outs)[:SCORE_EVERY]
    assert score.forecasts == SCORE_EVERY
    assert score.model == baseline.NAME
    assert 0 <= score.hit_ratio <= 1
    assert score.brier == pytest.approx(0.25, abs=0.03)
    assert score.log_loss == pytest.approx(0.69, abs=0.06)
    assert score.ts_event == said_at[-1].ts_event + 15 * MINUTE_NS


def test_with_a_model_it_is_the_model_that_speaks() -> None:
    core = Predictor(settings())
    heard(core, walk(70))
    model = arrived(seed=3)
    (card,) = core.handle(model, 5)
    assert isinstance(card, ModelCard)
    assert (card.sha256, card.source, card.horizon_ns) == (model.sha256, "shelf", 15 * MINUTE_NS)
    assert ("logistic auc", 0.5) in card.baselines
    core.apply(card)
    (forecast,) = forecasts(heard(core, walk(71)[-1:]))
    assert (forecast.model, forecast.source) == (model.sha256, "model")
    assert core.handle(model, 6) == []


def test_a_new_model_is_not_scored_by_what_another_said() -> None:
    core = Predictor(settings())
    bars = walk(LOOKBACK + 15 + SCORE_EVERY + 60)
    before, after = bars[: LOOKBACK + 60], bars[LOOKBACK + 60 :]
    heard(core, before)
    core.handle(arrived(seed=3), 5)
    assert not [out for out in heard(core, after[:60]) if isinstance(out, Score)]
    (score,) = [out for out in heard(core, after[60:]) if isinstance(out, Score)]
    assert score.model == arrived(seed=3).sha256


@pytest.mark.parametrize(
    "broken",
    [
        {"weights": b"garbage"},
        {"weights": b""},
        {"card": b"{"},
        {"card": b"{}"},
        {"card": arrived(seed=3, horizon_bars=16).card},
        {"card": arrived(seed=3, features_version=0).card},
    ],
)
def test_a_model_that_cannot_be_used_is_counted_and_the_baseline_goes_on(
    broken: dict[str, bytes],
) -> None:
    core = Predictor(settings())
    assert core.handle(msgspec.structs.replace(arrived(seed=3), **broken), 5) == []
    assert dict(core.counters())["models_refused"] == 1
    assert forecasts(heard(core, walk(70)))[-1].source == "baseline"


def test_whether_it_trains_is_a_figure_of_its_heartbeat() -> None:
    core = Predictor(settings())
    core.handle(TrainingChanged(running=True), 1)
    assert dict(core.counters())["training"] == 1


def test_a_command_that_it_does_not_know_is_answered() -> None:
    command = Command(request_id="7", verb="sing", args=(), by="me")
    (done,) = Predictor(settings()).handle(command, 1)
    assert isinstance(done, CommandDone)
    assert not done.ok
    assert "sing" in done.text


def test_windows_filled_anew_forecast_the_same() -> None:
    core, again = Predictor(settings()), Predictor(settings())
    bars = walk(300)
    heard(core, bars[:-1])
    heard(again, walk(20, seed=9))
    again.forget()
    for one in bars[:-1]:
        again.refill(one)
    assert heard(core, bars[-1:])[-1] == heard(again, bars[-1:])[-1]


def test_what_it_remembers_stays_small() -> None:
    core = Predictor(settings(horizon_bars=1440))
    for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT"):
        heard(core, walk(1800, symbol=symbol))
    core.handle(arrived(seed=3, horizon_bars=1440), 5)
    assert len(msgspec.msgpack.encode(core.state)) < 40_000
