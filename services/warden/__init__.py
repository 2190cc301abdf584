"""Watches the processes: back-off, crash-loop breaker, and an end to what hangs."""

from schema.streams import HEARTBEATS

NAME = "warden"
HEARS = tuple(f"{service}.hb" for service in HEARTBEATS)
SAYS = ("warden.process",)
