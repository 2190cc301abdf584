"""Judges every order that a strategy wants, on the worst case of all that is open or on its way."""

NAME = "risk"
HEARS = ("gateway.order", "ingest.feed", "ingest.quote", "engine.intent")
SAYS = ("risk.verdict", "risk.event")
