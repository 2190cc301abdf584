"""Plays an exchange on loopback: a market and an account of play money, as Binance offers them."""

NAME = "venue"
HEARS = ("ingest.feed", "ingest.trade", "ingest.quote", "ingest.depth")
SAYS = ()
