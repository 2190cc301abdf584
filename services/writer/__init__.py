"""Folds what others said into one shard, rows and stream positions in the same transaction."""

NAME = "writer"
HEARS = (
    "ingest.trade",
    "ingest.bar",
    "ingest.feed",
    "predictor.forecast",
    "predictor.score",
    "engine.intent",
    "engine.portfolio",
    "risk.verdict",
    "risk.event",
    "gateway.order",
    "backtest.result",
)
SAYS = ()

SHARDS = {
    "market": ("ingest.trade", "ingest.bar", "ingest.feed"),
    "trading": (
        "ingest.feed",
        "engine.intent",
        "engine.portfolio",
        "risk.verdict",
        "risk.event",
        "gateway.order",
    ),
    "analytics": (
        "ingest.bar",
        "predictor.forecast",
        "predictor.score",
        "engine.intent",
        "engine.portfolio",
        "risk.verdict",
        "gateway.order",
    ),
    "backtest": ("backtest.result",),
}
"""One process per shard, named `writer_<shard>`, and what each hears."""
