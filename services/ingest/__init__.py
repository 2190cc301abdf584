"""Repeats the exchange: trades, quotes and bars without a hole, and how far to trust them."""

NAME = "ingest"
HEARS = ("gateway.order",)
SAYS = (
    "ingest.trade",
    "ingest.quote",
    "ingest.depth",
    "ingest.bar",
    "ingest.feed",
    "ingest.sofar",
)
