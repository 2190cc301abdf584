"""Who may ask: keys, signatures and the time of a request, which is the wall's."""

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from schema.setting_types import PLAY_KEYS, PLAY_SECRET
from services.venue.params import Params, Refusal

AHEAD_MS = 1_000
WINDOW_MS = 5_000
WINDOW_MAX_MS = 60_000
UNAUTHORIZED = 401

_MARK = "&signature="


class Signed(msgspec.Struct, frozen=True):
    """A request with what proves where it comes from."""

    key: str
    text: str  # exactly what was signed
    fields: Mapping[str, str]


def of_rest(key: str, query: str, body: str) -> Signed:
    """Return a request of REST: what was signed is the query and the body as they were sent."""
    pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True)
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise Refusal(-1101, "Duplicate values for a parameter detected.")
        fields[name] = value
    return Signed(key, _without_signature(query) + _without_signature(body), fields)


def _without_signature(sent: str) -> str:
    if sent.startswith(_MARK[1:]):
        return ""
    return sent.partition(_MARK)[0]


def of_socket(fields: Mapping[str, str]) -> Signed:
    """Return a request of the WebSocket API: what was signed is its parameters in their order."""
    names = sorted(name for name in fields if name != "signature")
    text = "&".join(f"{name}={fields[name]}" for name in names)
    return Signed(fields.get("apiKey", ""), text, fields)


def check(signed: Signed, params: Params, wall_ms: int) -> None:
    """Refuse a request that is not signed, or whose time is over or still to come."""
    if not signed.key:
        raise Refusal(-2014, "API-key format invalid.", UNAUTHORIZED)
    if signed.key not in PLAY_KEYS:
        msg = "Invalid API-key, IP, or permissions for action."
        raise Refusal(-2015, msg, UNAUTHORIZED)
    params.must("timestamp", "signature")
    _check_time(params, wall_ms)
    made = hmac.digest(PLAY_SECRET.encode(), signed.text.encode(), "sha256").hex()
    if not hmac.compare_digest(made.encode(), (params.word("signature") or "").encode()):
        raise Refusal(-1022, "Signature for this request is not valid.")


def _check_time(params: Params, wall_ms: int) -> None:
    sent_ms = params.needed("timestamp")
    window_ms = params.number("recvWindow")
    window_ms = WINDOW_MS if window_ms is None else window_ms
    if window_ms > WINDOW_MAX_MS:
        raise Refusal(-1131, f"recvWindow must be less than {WINDOW_MAX_MS}")
    if sent_ms > wall_ms + AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if sent_ms + window_ms < wall_ms:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
