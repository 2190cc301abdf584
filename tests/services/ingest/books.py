"""An exchange's book, told by changes, and a stand on which ingest follows it."""

from collections.abc import Iterable

from msgspec import structs

from schema.house import SnapshotDue
from schema.market import DepthSnapshot, DepthUpdate, Level
from schema.streams import STREAMS
from services.ingest.core import Ingest
from services.ingest.effects import FetchDepth, FetchedDepth, LiveDepth, RawLevels
from tests.services.ingest.exchange import MS, START_MS, SYMBOL, Exchange, Stand, decimal
from tests.services.shipped import shipped

PX_EXP, QTY_EXP = 2, 5
Rungs = dict[int, int]


def texts(levels: Iterable[Level], qty_exp: int = QTY_EXP) -> RawLevels:
    return tuple((decimal(px, PX_EXP), decimal(qty, qty_exp)) for px, qty in levels)


class Book:
    """The book as the exchange has it."""

    def __init__(self, bids: Rungs, asks: Rungs, qty_exp: int = QTY_EXP) -> None:
        self.bids, self.asks, self.update_id = dict(bids), dict(asks), 100
        self.qty_exp = qty_exp

    def change(self, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> LiveDepth:
        """Change the book; return what the exchange tells of it."""
        first_id = self.update_id + 1
        bids, asks = tuple(bids), tuple(asks)
        self.update_id += 1 + len(bids) + len(asks)
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for px, qty in levels:
                side[px] = qty
                if not qty:
                    del side[px]
        return LiveDepth(
            symbol=SYMBOL,
            first_id=first_id,
            last_id=self.update_id,
            bids=texts(bids),
            asks=texts(asks),
            at_ms=START_MS + self.update_id,
            recv_ns=5,
        )

    def sides(self, count: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        bids = tuple(sorted(self.bids.items(), reverse=True))
        return bids[:count], tuple(sorted(self.asks.items()))[:count]

    def answer(self, asked: FetchDepth) -> FetchedDepth:
        bids, asks = self.sides(asked.limit)
        return FetchedDepth(
            effect_id=asked.effect_id,
            symbol=SYMBOL,
            update_id=self.update_id,
            bids=texts(bids, self.qty_exp),
            asks=texts(asks, self.qty_exp),
            recv_ns=7,
        )


class BookStand(Stand):
    """A stand whose ingest follows a book."""

    def __init__(self, book: Book, depth: int = 3, depth_ms: int = 0) -> None:
        self.book = book
        self.depth, self.depth_ms = depth, depth_ms
        super().__init__(Exchange([]), (START_MS + 65_000) * MS)

    def fresh(self) -> None:
        given = shipped(
            RRR_CLOCK__SCALE="1",
            RRR_VENUE__SYMBOL=f'["{SYMBOL}"]',
            RRR_INGEST__DEPTH=str(self.depth),
            RRR_INGEST__DEPTH_MS=str(self.depth_ms),
        )
        self.settings = structs.replace(given)
        self.core = Ingest(self.settings)
        self._begin()

    def up(self) -> "BookStand":
        """Open and connect, and answer all but questions for the book."""
        self.open()
        self.connect()
        self.answer_others()
        return self

    def answer_others(self) -> None:
        while others := [e for e in self.effects if not isinstance(e, FetchDepth)]:
            self.effects.remove(others[0])
            self.hear(self.exchange.answer(others[0], self.now_ns))

    def asked(self) -> list[FetchDepth]:
        return [effect for effect in self.effects if isinstance(effect, FetchDepth)]

    def give(self) -> None:
        """Answer the question for the book as it is now."""
        (asked,) = self.asked()
        self.effects.remove(asked)
        self.hear(self.book.answer(asked))

    def in_step(self) -> "BookStand":
        """Bring the book in step."""
        self.up()
        self.hear(self.book.change())
        self.give()
        return self

    def updates(self) -> list[DepthUpdate]:
        return [message for message in self.said if isinstance(message, DepthUpdate)]

    def told(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return the book as who follows the stream has it, by the plainest fold."""
        bids: Rungs = {}
        asks: Rungs = {}
        before_id = 0
        for update in self.updates():
            if update.anew:
                bids, asks = {}, {}
            else:
                assert update.first_update_id == before_id + 1
            before_id = update.last_update_id
            for side, levels in ((bids, update.bids), (asks, update.asks)):
                for px, qty in levels:
                    side[px] = qty
                    if not qty:
                        del side[px]
        return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))

    def snapshot(self) -> list[DepthSnapshot]:
        due = SnapshotDue(stream=STREAMS["ingest.depth"].number)
        return [out for out in self.core.handle(due, self.now_ns) if isinstance(out, DepthSnapshot)]

    def figure(self, name: str) -> int:
        return dict(self.core.counters())[name]


def book_of(levels: int = 10) -> Book:
    """Return a book around 60 000.00, a level at each whole dollar."""
    bids = {5_999_900 - 100 * n: 10_000 + n for n in range(levels)}
    return Book(bids, {6_000_100 + 100 * n: 20_000 + n for n in range(levels)})
