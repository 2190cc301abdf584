"""What a forecast was made of: the model behind it, and the features, computed from bars again.

Features are a pure function of the newest bars, so those that the market shard has give the same
numbers as were seen then, to the last bit; where bars are missing, that is told instead.
"""

import json
from contextlib import suppress
from typing import Any

import msgspec

from bus.errors import HouseError
from bus.history import history_of
from bus.house import House
from bus.rows import read_rows
from schema.forecast import Forecast
from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from services.predictor.features import (
    GAP_BARS_MAX,
    LOOKBACK,
    NAMES,
    Vector,
    Window,
    is_next,
    update,
)
from services.rrr.ears import Seen

BACK_BARS = LOOKBACK + GAP_BARS_MAX + 2
BASELINE = "baseline"
MODEL = """
SELECT sha256, name, source, timeframe, symbols, features, horizon_ns, data_first_ns, data_last_ns,
    data_hash, data_rows, metrics, baselines, card FROM analytics.ml_models WHERE sha256 = ?
"""
JSON_COLUMNS = ("symbols", "features", "metrics", "baselines", "card")

Row = dict[str, Any]


class Made(msgspec.Struct):
    """What a forecast was made of, and what is not known of that."""

    model: Row | None = None
    features: dict[str, float] = {}
    missing: list[str] = []


def made_of(house: House, steps: list[Seen]) -> Made:
    """Return what the forecast among the steps of an order was made of."""
    said = [seen.message for seen in steps if isinstance(seen.message, Forecast)]
    if not said:
        return Made(missing=["no forecast led to it: its strategy's own notes are all there is"])
    forecast = said[-1]
    made = Made(model=_model(house, forecast))
    if made.model is None:
        made.missing.append(f"no card of model {forecast.model[:16]} is kept")
    found = features_of(house, forecast)
    if isinstance(found, str):
        made.missing.append(found)
    else:
        made.features = dict(zip(NAMES, found, strict=True))
        _note_names(made)
    return made


def _note_names(made: Made) -> None:
    told = made.model.get("features") if made.model is not None else None
    if told and tuple(told) != NAMES:
        made.missing.append("the model was made of other features than those of this code")


def _model(house: House, forecast: Forecast) -> Row | None:
    if forecast.source == BASELINE:
        return {"name": forecast.model, "source": BASELINE}
    with suppress(HouseError):
        for row in read_rows(house.db_dir, "analytics", MODEL, (forecast.model,)):
            return row | {name: _decoded(str(row[name])) for name in JSON_COLUMNS}
    return None


def _decoded(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except json.JSONDecodeError:
        return text


def features_of(house: House, forecast: Forecast) -> Vector | str:
    """Return the features of a forecast; a text that says why they cannot be computed again."""
    step_ns = TIMEFRAMES_NS.get(forecast.timeframe)
    if step_ns is None:
        return f"there are no bars of {forecast.timeframe!r} to compute the features from"
    first_ns = forecast.bar_open_ns - BACK_BARS * step_ns
    bars = _bars(house, forecast, first_ns, forecast.bar_open_ns + step_ns)
    window, found = Window(), None
    for bar in bars:
        found = update(window, bar) if is_next(window, bar) else None
    if found is None or not bars or bars[-1].open_ns != forecast.bar_open_ns:
        return (
            f"the features cannot be computed again: the market shard has {len(bars)} of the "
            f"{LOOKBACK + 1} bars before {forecast.symbol}'s forecast"
        )
    return found


def _bars(house: House, forecast: Forecast, first_ns: int, stop_ns: int) -> list[Bar]:
    from bus.bars import open_bars  # noqa: PLC0415 - numpy, which an order by hand goes without

    symbol, timeframe = forecast.symbol, forecast.timeframe
    try:
        with open_bars(house.db_dir, history=history_of(house)) as reader:
            found = reader.between(symbol, timeframe, first_ns, stop_ns)
            rows, exps = found.rows() if len(found) else [], found.exponents
    except HouseError:
        return []
    step_ns = TIMEFRAMES_NS[timeframe]
    return [
        Bar(
            ts_event=open_ns + step_ns, symbol=symbol, timeframe=timeframe, open_ns=open_ns,
            open=o, high=h, low=low, close=c, volume=v, quote_volume=q, trades=n,
            px_exp=exps[0], qty_exp=exps[1], quote_exp=exps[2],
        )
        for open_ns, o, h, low, c, v, q, n in rows
    ]  # fmt: skip


def made_text(made: Made) -> list[str]:
    """Return the model and the features behind an order, as lines."""
    lines = []
    if made.model is not None:
        sha = str(made.model.get("sha256", ""))[:16]
        lines += ["", f"Model: {made.model['name']} {sha}, {made.model['source']}".rstrip()]
        lines += [f"  {name} {value}" for name, value in (made.model.get("metrics") or {}).items()]
    if made.features:
        lines.append("Features (computed from the bars again):")
        lines += [f"  {name} {value:+.6f}" for name, value in made.features.items()]
    return lines
