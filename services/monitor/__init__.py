"""Watches health by progress, audits the books, and says what a person should know of."""

from schema.streams import HEARTBEATS

NAME = "monitor"
HEARS = (
    *(f"{service}.hb" for service in HEARTBEATS),
    "warden.process",
    "engine.portfolio",
    "gateway.order",
)
SAYS = ("monitor.alert",)
