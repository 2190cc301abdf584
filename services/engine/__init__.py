"""Runs the strategies: decides what to hold, says the orders for it, and keeps the books."""

NAME = "engine"
HEARS = (
    "ingest.bar",
    "ingest.quote",
    "ingest.feed",
    "predictor.forecast",
    "risk.event",
    "gateway.order",
)
SAYS = ("engine.intent", "engine.portfolio")
