"""An engine that never stops to buy, and a risk that lets it: `path_trader engine|risk|proxy`.

They stand for the two that a kill switch must not depend on. The proxy stands before the exchange
and writes down when the first byte of each new order came by: `proxy FROM TO FILE`.
"""

import asyncio
import contextlib
import sys
from typing import ClassVar

from bus.clock import Clock
from bus.house import House
from bus.process import main
from bus.service import Parts, Said, Service
from schema.approval import order_hash
from schema.house import Started, Timer, Wake
from schema.identity import client_order_id
from schema.trading import OrderIntent, Verdict
from tests.bench.path_service import Stamps, clock

SYMBOL = "BTC/USDT"
EVERY_NS = 20_000_000
LIVES_NS = 1_000_000_000
QTY, PX, PX_EXP, QTY_EXP = 30, 6_000_000, 2, 5  # about 18 dollars
NEW_ORDER = b"POST /api/v3/order"
CHUNK = 1 << 16


class Buyer(Service):
    """Wants an order fifty times in a second, whatever becomes of them."""

    name: ClassVar[str] = "engine"
    says: ClassVar[tuple[str, ...]] = ("engine.intent", "engine.portfolio")

    def __init__(self, world: str) -> None:
        self.state = None
        self._world = world

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if not isinstance(message, Started | Timer):
            return []
        again = Wake(name="buy", at_ns=now_ns + EVERY_NS)
        return [again] if isinstance(message, Started) else [_intent(self._world, now_ns), again]


def _intent(world: str, now_ns: int) -> OrderIntent:
    return OrderIntent(
        ts_event=now_ns,
        client_order_id=client_order_id(world, "buyer", SYMBOL, str(now_ns), 1),
        strategy="buyer",
        symbol=SYMBOL,
        side="buy",
        order_type="market",
        qty=QTY,
        px_exp=PX_EXP,
        qty_exp=QTY_EXP,
        ref_px=PX,
        valid_until_ns=now_ns + LIVES_NS,
    )


class Nodder(Service):
    """Approves everything: what stops an order is the gateway alone."""

    name: ClassVar[str] = "risk"
    hears: ClassVar[tuple[str, ...]] = ("engine.intent",)
    says: ClassVar[tuple[str, ...]] = ("risk.verdict", "risk.event")

    def __init__(self) -> None:
        self.state = None

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if not isinstance(message, OrderIntent):
            return []
        approval = Verdict(
            ts_event=now_ns,
            client_order_id=message.client_order_id,
            order_hash=order_hash(message),
            approved=True,
            code="OK",
            detail="",
            epoch=1,
            expires_ns=now_ns + LIVES_NS,
            symbol=message.symbol,
        )
        return [approval]


async def _proxy(here: int, there: int, stamps: Stamps) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK):
                if chunk.startswith(NEW_ORDER):
                    stamps.put(0, clock.mono_ns())
                writer.write(chunk)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection("127.0.0.1", there)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pump(reader, downstream))
            tasks.create_task(pump(upstream, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", here)
    sys.stdout.write("here\n")
    sys.stdout.flush()
    await server.serve_forever()


def _buyer(house: House, _clock: Clock) -> Parts:
    return Parts(Buyer(house.world))


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    match kind:
        case "engine":
            main("engine", _buyer)
        case "risk":
            main("risk", lambda _house, _clock: Parts(Nodder()))
        case _:
            asyncio.run(_proxy(int(rest[0]), int(rest[1]), Stamps(rest[2])))
