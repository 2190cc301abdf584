"""The model: what the training finds and what it does not, and that it forecasts as torch does."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load, save

from bus.clock import ManualClock
from services.predictor.card import ModelError, read_card, require_fit
from services.predictor.dataset import Rows, fingerprint, mirrored, rows_of, split
from services.predictor.features import LOOKBACK, NAMES
from services.predictor.lesson import TooFewBarsError
from services.predictor.measures import auc, logistic, measure
from services.predictor.network import TENSORS, probability, read_network
from services.predictor.training import train
from tests.services.predictor.arrivals import card, weights
from tests.services.predictor.markets import MINUTE_NS, lesson, settings, walk

fitting = pytest.importorskip("services.predictor.fitting", reason="torch is not installed")

FOLDER = Path("nowhere")


def quiet(*_: object) -> None:
    pass


def trained(echo: float, seed: int = 5, **changes: Any) -> dict[str, float]:
    series = {"BTC/USDT": walk(4000, seed=seed, echo=echo)}
    order = lesson(FOLDER, horizon_bars=1, **changes)
    _, found = train(order, series, ManualClock(1), quiet)
    return found.metrics | {"rate": found.baselines["base_rate"]["log_loss"]}


def test_a_signal_that_is_there_is_found() -> None:
    found = trained(echo=0.8)
    assert found["auc"] > 0.75
    assert found["log_loss"] < found["rate"] - 0.1


def test_in_noise_nothing_is_found() -> None:
    found = trained(echo=0.0)
    assert abs(found["auc"] - 0.5) < 0.08
    assert found["log_loss"] > found["rate"] - 0.01
    assert found["log_loss"] < found["rate"] + 0.03


def test_the_card_says_what_the_model_was_made_of() -> None:
    series = {symbol: walk(900, symbol=symbol) for symbol in ("BTC/USDT", "ETH/USDT")}
    told: list[str] = []
    order = lesson(FOLDER, symbols=tuple(series), epochs=2)
    data, found = train(order, series, ManualClock(77), told.append)
    bars = series["BTC/USDT"]
    assert (found.symbols, found.timeframe, found.horizon_bars) == (tuple(series), "1m", 15)
    assert (found.data_first_ns, found.data_last_ns) == (bars[0].open_ns, bars[-1].ts_event)
    assert found.data_hash == fingerprint(series)
    assert (found.bars, found.rows) == (1800, 2 * (900 - LOOKBACK - 15))
    assert found.metrics.keys() == found.baselines["logistic"].keys()
    assert set(found.baselines) == {"base_rate", "logistic"}
    assert (found.made_ns, found.world) == (77, "local-test")
    assert read_card(msgspec.json.encode(found)) == found
    require_fit(found, settings().predictor)
    assert any("epoch 1/2" in line for line in told)
    assert train(order, series, ManualClock(77), quiet) == (data, found)


def test_it_forecasts_as_torch_does() -> None:
    rows = rows_of({"BTC/USDT": walk(700)}, 15)
    fitted = fitting.fit(rows, rows, 1, quiet)
    network = read_network(fitted.weights)
    mine = [probability(network, tuple(features)) for features in rows.features.tolist()]
    assert np.abs(np.array(mine) - fitted.probabilities(rows.features)).max() < 1e-6
    assert mine == [probability(network, tuple(row)) for row in rows.features.tolist()]


def test_no_outcome_that_is_learned_lies_in_a_later_stretch() -> None:
    rows = rows_of({"BTC/USDT": walk(900), "ETH/USDT": walk(800)}, 15)
    parts = split(rows, 15 * MINUTE_NS)
    assert parts.learn.closed_ns.max() + 15 * MINUTE_NS < parts.stop.closed_ns.min()
    assert parts.stop.closed_ns.max() + 15 * MINUTE_NS < parts.validate.closed_ns.min()
    assert len(rows) - sum(map(len, (parts.learn, parts.stop, parts.validate))) <= 2 * 2 * 15


def test_a_row_and_its_mirror_image_lean_opposite_ways() -> None:
    rows = rows_of({"BTC/USDT": walk(300)}, 15)
    both = mirrored(rows)
    assert both.ups.mean() == 0.5
    turn = NAMES.index("return_5")
    assert (both.features[: len(rows), turn] == -both.features[len(rows) :, turn]).all()


def test_too_few_bars_are_refused_with_how_many_it_takes() -> None:
    short = {"BTC/USDT": walk(LOOKBACK + 20)}
    with pytest.raises(TooFewBarsError, match="5 bars of 1m have an outcome"):
        train(lesson(FOLDER), short, ManualClock(1), quiet)


def test_measures_are_those_of_the_textbook() -> None:
    ups = np.array([1.0, 0.0, 1.0, 0.0])
    found = measure(np.array([0.8, 0.4, 0.6, 0.6]), ups)
    assert found["brier"] == pytest.approx((0.04 + 0.16 + 0.16 + 0.36) / 4)
    assert found["hit_ratio"] == 0.75
    assert found["auc"] == pytest.approx(3.5 / 4)
    assert auc(np.array([1.0, 2.0]), np.array([1.0, 1.0])) == 0.5


def test_the_logistic_baseline_finds_a_line() -> None:
    chance = np.random.default_rng(1)
    features = chance.normal(size=(2000, 3))
    ups = (features[:, 0] + chance.normal(size=2000) > 0).astype(float)
    rows = Rows(features, ups, np.arange(2000))
    assert auc(logistic(rows, rows), ups) > 0.8


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("mean", np.zeros(3, np.float32), r"float32\(20,\), found mean float32\(3,\)"),
        ("scale", np.zeros(20, np.float32), "a scale of 0"),
        ("bias1", np.full(16, np.nan, np.float32), "not finite"),
        ("weight2", np.zeros((2, 16), np.float32), "found weight2"),
        ("weight1", np.zeros((16, 32), np.float16), "found weight1 float16"),
        ("extra", np.zeros(1, np.float32), "found tensors"),
    ],
)
def test_weights_of_another_shape_are_refused(name: str, value: Any, reason: str) -> None:
    tensors = load(weights(seed=1)) | {name: value}
    with pytest.raises(ModelError, match=reason):
        read_network(save(tensors))


def test_weights_that_were_cut_or_are_huge_are_refused() -> None:
    data = weights(seed=1)
    assert set(load(data)) == set(TENSORS)
    for broken in (data[:-1], data[:40], b"\xff" * 100, b"\0" * (300 << 10)):
        with pytest.raises(ModelError):
            read_network(broken)


def test_a_model_of_other_features_is_refused_with_both() -> None:
    other = card(weights(seed=1), horizon_bars=60)
    with pytest.raises(ModelError, match=r"horizon of 60; expected .* horizon of 15"):
        require_fit(other, settings().predictor)
