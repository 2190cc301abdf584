"""Plays an exchange on loopback: a synthetic or recorded market behind Binance's own interface."""

NAME = "venue"
HEARS = ()
SAYS = ()
