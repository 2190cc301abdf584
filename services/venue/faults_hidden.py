"""Orders that have vanished from all reads for a while, and come back."""

import msgspec
from msgspec.structs import replace

from services.venue.faults import Asked, Faults
from services.venue.faults_kinds import PLACE
from services.venue.faults_sight import rows_in
from services.venue.rest import Answer

ABSENT = Answer(400, b'{"code":-2013,"msg":"Order does not exist."}', 4)


class Hidden:
    """Which orders are in no read, and until when."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._until_ms: dict[int, int] = {}

    def told(self, asked: Asked, answer: Answer) -> Answer:
        """Return an answer without what has vanished; a new order may vanish with it."""
        if asked.call in PLACE:
            self._hide(asked, answer)
        if not self._until_ms or not asked.call.startswith("GET "):
            return answer
        now_ms = self._faults.now_ms()
        self._until_ms = {one: ms for one, ms in self._until_ms.items() if ms > now_ms}
        return self._without(answer)

    def _hide(self, asked: Asked, answer: Answer) -> None:
        rows = rows_in(msgspec.json.decode(answer.body))
        fault = self._faults.strike("vanish", asked) if rows else None
        if fault is not None:
            until_ms = self._faults.now_ms() + fault.ms()
            self._until_ms |= {row["orderId"]: until_ms for row in rows}

    def _without(self, answer: Answer) -> Answer:
        found = msgspec.json.decode(answer.body)
        gone = [row for row in rows_in(found) if row["orderId"] in self._until_ms]
        if not gone:
            return answer
        if not isinstance(found, list):
            return ABSENT
        left = [row for row in found if not isinstance(row, dict) or row not in gone]
        return replace(answer, body=msgspec.json.encode(left))
