"""Joins intent and verdict, sends, and says what became of every order; holds the kill switch."""

NAME = "gateway"
HEARS = ("engine.intent", "risk.verdict", "ingest.feed")
SAYS = ("gateway.order",)
