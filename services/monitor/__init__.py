"""Watches health by progress, and says what a person should know of."""

from schema.streams import HEARTBEATS

NAME = "monitor"
HEARS = (*(f"{service}.hb" for service in HEARTBEATS), "warden.process")
SAYS = ("monitor.alert",)
