"""The signed interface over a scripted market, and requests to it, without HTTP."""

import hmac
from typing import Any
from urllib.parse import urlencode

import msgspec

from schema.setting_types import PLAY_KEY, PLAY_SECRET
from services.venue.private import Private
from tests.services.venue.scripted import Scripted, desk_of

WALL_MS = 1_700_000_000_000
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


class Bank:
    """A private interface over a scripted market, and its answers."""

    def __init__(self) -> None:
        self.desk = desk_of(Scripted([(10, 90_00, 300), (20, 90_00, 5_000)]))
        self.private = Private(self.desk)

    def send(self, call: str, key: str, query: str, body: str = "") -> tuple[int, Any]:
        answer = self.private.rest(call, key, query, body, WALL_MS)
        return answer.status, msgspec.json.decode(answer.body)

    def ask(self, call: str, **params: object) -> Any:
        status, found = self.send(call, PLAY_KEY, signed(**params))
        assert status == 200, found
        return found

    def refusal(self, call: str, **params: object) -> tuple[int, str]:
        status, found = self.send(call, PLAY_KEY, signed(**params))
        assert status == 400, found
        return found["code"], found["msg"]


def signed(**params: object) -> str:
    params.setdefault("timestamp", WALL_MS)
    text = urlencode({name: value for name, value in params.items() if value is not None})
    return f"{text}&signature={signature(text)}"


def signature(text: str) -> str:
    return hmac.digest(PLAY_SECRET.encode(), text.encode(), "sha256").hex()
