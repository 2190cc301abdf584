"""Runs a strategy over recorded bars: the shipped cores against the venue's desk, on one clock."""

NAME = "backtest"
HEARS = ()
SAYS = ("backtest.result",)
