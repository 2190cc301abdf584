"""The fold of forecasts: models, what they said, how it turned out, and the account's figures."""

import msgspec

from bus.shard import Connection
from schema.forecast import Forecast, ModelCard, Score
from schema.setting_types import TIMEFRAMES_NS
from schema.streams import STREAMS
from schema.trading import Portfolio
from services.writer.bars_said import LINKED_NS, said_of
from services.writer.effects import Keep

BAR = STREAMS["ingest.bar"].number
MINUTE_NS = TIMEFRAMES_NS["1m"]

FORECAST = (
    "INSERT INTO ml_predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (pos) DO NOTHING"
)
MODEL = (
    "INSERT INTO ml_models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (sha256) DO UPDATE SET name = excluded.name, source = excluded.source, "
    "metrics = excluded.metrics, baselines = excluded.baselines, card = excluded.card, "
    "ts_ns = excluded.ts_ns"
)
SCORE = (
    "INSERT INTO ml_model_results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (pos) DO NOTHING"
)
METRIC = (
    "INSERT INTO analytics_metrics VALUES (?, ?, ?, ?) "
    "ON CONFLICT (name, scope, ts_ns) DO UPDATE SET value = excluded.value"
)
SAID_BAR = (
    "UPDATE ml_predictions SET bar_said_ns = ?1 WHERE bar_pos = ?2 AND bar_said_ns IS NULL "
    "AND said_ns - ?1 < ?3"
)


def write_forecast(db: Connection, kept: Keep) -> None:
    """Keep a forecast with its place, and the place and time of the bar that it was made of."""
    m = kept.message
    assert isinstance(m, Forecast)
    bar_pos = m.cause[1] if m.cause[0] == BAR else None
    bar_said_ns = said_of(db, bar_pos, kept.said_ns) if bar_pos is not None else None
    about = (m.symbol, m.timeframe, m.bar_open_ns, m.horizon_ns)
    values = (m.probability_up, m.confidence, m.expected_return, m.model, m.source)
    said = (kept.said_ns, bar_pos, bar_said_ns)
    db.execute(FORECAST, (kept.pos, m.ts_event, m.trace, *about, *values, *said))


def link_bar(db: Connection, kept: Keep) -> None:
    """Fill in when a bar was said, where its forecast came first."""
    db.execute(SAID_BAR, (kept.said_ns, kept.pos, LINKED_NS))


def write_model(db: Connection, kept: Keep) -> None:
    """Keep a model under the hash of its weights; what is said again is brought up to date."""
    m = kept.message
    assert isinstance(m, ModelCard)
    names = (m.sha256, m.name, m.source, m.timeframe, _json(m.symbols), _json(m.features))
    data = (m.horizon_ns, m.data_first_ns, m.data_last_ns, m.data_hash, m.rows)
    measures = (_json(dict(m.metrics)), _json(dict(m.baselines)))
    db.execute(MODEL, (*names, *data, *measures, m.card, m.ts_event, m.ts_event))


def write_score(db: Connection, kept: Keep) -> None:
    """Keep how a model's past forecasts turned out."""
    m = kept.message
    assert isinstance(m, Score)
    values = (m.forecasts, m.hit_ratio, m.brier, m.log_loss)
    db.execute(SCORE, (kept.pos, m.ts_event, m.symbol, m.timeframe, m.model, *values))


def write_metrics(db: Connection, kept: Keep) -> None:
    """Keep the account's figures, the last ones of each market minute."""
    m = kept.message
    assert isinstance(m, Portfolio)
    minute_ns = m.ts_event - m.ts_event % MINUTE_NS
    rows = [(name, m.quote, minute_ns, value) for name, value in figures(m).items()]
    db.executemany(METRIC, rows)


def figures(m: Portfolio) -> dict[str, float]:
    """Return the figures of an account: money in the quote asset, ratios of equity or its peak."""
    unit = 10**m.quote_exp
    found = {"equity": m.equity / unit, "realized": m.realized / unit, "fees": m.fees / unit}
    if m.peak_equity > 0:
        found["drawdown"] = max(0.0, 1 - m.equity / m.peak_equity)
    if m.equity > 0:
        found["exposure"] = m.gross_exposure / m.equity
    return found


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
