"""Others that a service cannot do without: what it hears of them is told to its core as a change.

Heartbeats come four times a second and would fill a journal; their changes are few, and enter a
turn as `PeerSeen`. Silence is measured in monotonic time, from the main loop that would act on it.
"""

from collections.abc import Mapping

import msgspec

from bus.clock import Clock
from bus.lag import Lag
from schema.house import Heartbeat, PeerSeen

BEHIND_NS = 60_000_000_000
"""A reader that has not passed for so long what was said before is behind."""


class Peer(msgspec.Struct):
    """One of them, as last heard."""

    silence_ns: int
    heartbeat: Heartbeat | None = None
    heard_ns: int = 0
    told: tuple[str, str, str] = ("", "", "")


class Peers:
    """All that one service needs, each with the silence in ms that it bears."""

    def __init__(self, needs: Mapping[str, int], clock: Clock) -> None:
        self._clock = clock
        self._peers = {name: Peer(silence_ms * 1_000_000) for name, silence_ms in needs.items()}
        self._lag = Lag()
        self._lasts: dict[int, int] = {}

    def heard(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat; those of strangers tell how far their streams have come."""
        self._lasts.update(heartbeat.last)
        peer = self._peers.get(heartbeat.service)
        if peer is not None:
            peer.heartbeat, peer.heard_ns = heartbeat, self._clock.mono_ns()

    def changes(self) -> list[PeerSeen]:
        """Return what has changed since the last call."""
        if not self._peers:
            return []
        now_ns = self._clock.mono_ns()
        found = []
        for name, peer in self._peers.items():
            state, reason = self._judge(peer, now_ns)
            contract = peer.heartbeat.contract if peer.heartbeat is not None else ""
            if state and (state, reason, contract) != peer.told:
                peer.told = (state, reason, contract)
                seen = PeerSeen(service=name, state=state, reason=reason, contract=contract)
                found.append(seen)
        return found

    def _judge(self, peer: Peer, now_ns: int) -> tuple[str, str]:
        heartbeat = peer.heartbeat
        if heartbeat is None:
            return "", ""  # A core begins with nobody ready, so there is no news in this.
        if self._lag.behind_ns(heartbeat, self._lasts, now_ns) >= BEHIND_NS:
            return "BEHIND", "it has not read what was said for a minute or longer"
        if now_ns - peer.heard_ns >= peer.silence_ns:
            return "SILENT", "it gives no sign of life"
        return heartbeat.state, heartbeat.reason
