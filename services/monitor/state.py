"""What the monitor remembers: the alerts that fire."""

import msgspec

from schema.house import Alert

Key = str
"""`<name> <scope>`: an alert fires once for each."""


class State(msgspec.Struct):
    """Books: the alerts that fire, kept by what was said on `monitor.alert`."""

    firing: dict[Key, Alert] = {}


def key(name: str, scope: str) -> Key:
    """Return what identifies an alert."""
    return f"{name} {scope}"
