"""The two ends of a broker: `python -m tests.bench.bus_broker_client core|jetstream|redis
speak|hear PORT`, told by lines how many messages there are."""

import asyncio
import sys
from collections.abc import Callable

import msgspec

from schema.market import Trade
from tests.bench.bus_load import Counter, trades

NAME = "ingest.trade"
BATCH = 512
WAIT_S = 30.0
TRIES, PAUSE_S = 20, 0.25

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Trade).decode


class Nats:
    """NATS without a memory."""

    async def open(self, port: int) -> None:
        """Connect."""
        import nats  # noqa: PLC0415 - whoever measures Redis may not have it

        self.link = await nats.connect(f"nats://127.0.0.1:{port}", connect_timeout=10)

    async def speak(self, count: int) -> None:
        """Say so many messages."""
        words = trades()
        for number in range(count):
            await self.link.publish(NAME, _encode(words[number % len(words)]))
        await self.link.flush()

    async def hear(self, counter: Counter, count: int, begun: Callable[[], None]) -> None:
        """Hear so many messages."""
        ear = await self.link.subscribe(NAME, pending_msgs_limit=0, pending_bytes_limit=0)
        await self.link.flush()
        begun()
        for _ in range(count):
            message = await ear.next_msg(WAIT_S)
            counter.handle(_decode(message.data), 0)
        await ear.unsubscribe()


class JetStream(Nats):
    """NATS with a stream in files and a durable consumer."""

    async def open(self, port: int) -> None:
        await super().open(port)
        self.stream = self.link.jetstream(publish_async_max_pending=BATCH)
        for left in reversed(range(TRIES)):
            if await self._added(last=not left):
                return

    async def _added(self, *, last: bool) -> bool:
        # The server takes connections before the files of its streams are open.
        import nats  # noqa: PLC0415 - whoever measures Redis may not have it

        try:
            await self.stream.add_stream(name="trades", subjects=[NAME])
        except nats.errors.Error:
            if last:
                raise
            await asyncio.sleep(PAUSE_S)
            return False
        return True

    async def speak(self, count: int) -> None:
        words = trades()
        for number in range(count):
            await self.stream.publish_async(NAME, _encode(words[number % len(words)]))
        await self.stream.publish_async_completed()

    async def hear(self, counter: Counter, count: int, begun: Callable[[], None]) -> None:
        from nats.js.api import AckPolicy, ConsumerConfig  # noqa: PLC0415 - as above

        how = ConsumerConfig(ack_policy=AckPolicy.ALL)
        ear = await self.stream.pull_subscribe(NAME, "durable", config=how)
        begun()
        left = count
        while left:
            found = await ear.fetch(min(BATCH, left), timeout=WAIT_S)
            for message in found:
                counter.handle(_decode(message.data), 0)
            await found[-1].ack()
            left -= len(found)


class Redis:
    """A stream of Redis, its reader keeping its own place."""

    async def open(self, port: int) -> None:
        """Connect."""
        import redis  # noqa: PLC0415 - whoever measures NATS may not have it

        self.link = redis.Redis(port=port)
        self.link.ping()

    async def speak(self, count: int) -> None:
        """Say so many messages."""
        words = trades()
        for begin in range(0, count, BATCH):
            line = self.link.pipeline(transaction=False)
            for number in range(begin, min(count, begin + BATCH)):
                line.xadd(NAME, {"m": _encode(words[number % len(words)])})
            line.execute()

    async def hear(self, counter: Counter, count: int, begun: Callable[[], None]) -> None:
        """Hear so many messages."""
        last = self.link.xrevrange(NAME, count=1)
        place, left = last[0][0] if last else b"0", count
        begun()
        while left:
            for _, entries in self.link.xread({NAME: place}, count=BATCH, block=int(WAIT_S * 1000)):
                for _, fields in entries:
                    counter.handle(_decode(fields[b"m"]), 0)
                place, left = entries[-1][0], left - len(entries)


KINDS: dict[str, type[Nats] | type[Redis]] = {"core": Nats, "jetstream": JetStream, "redis": Redis}


async def _serve(kind: str, role: str, port: int) -> None:
    end = KINDS[kind]()
    await end.open(port)
    _say_line("here")
    while line := await asyncio.to_thread(sys.stdin.readline):
        count = int(line)
        if role == "speak":
            await end.speak(count)
            continue
        counter = Counter()
        counter.begin(count)
        await end.hear(counter, count, lambda: _say_line("here"))
        _say_line(msgspec.json.encode(counter.so_far()).decode())


def _say_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
