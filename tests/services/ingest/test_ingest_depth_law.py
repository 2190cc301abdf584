"""Whatever becomes of the changes on their way, the book that is said is the exchange's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.effects import LiveDepth
from tests.services.ingest.books import BookStand, book_of

DOLLAR = 100
LOW, HIGH = 5_999_000, 6_001_000
LEVELS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), max_size=4)
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            ("tell", "tell", "tell", "lose", "twice", "late", "back", "give", "give", "refuse",
             "stale", "drop", "open", "wait", "snapshot", "fold")
        ),
        LEVELS,
        LEVELS,
    ),
    min_size=4,
    max_size=40,
)  # fmt: skip


class Wire:
    """What brings the changes, and what becomes of them."""

    def __init__(self, depth_ms: int) -> None:
        self.stand = BookStand(book_of(4), depth=3, depth_ms=depth_ms).in_step()
        self.kept: list[LiveDepth] = []

    def act(self, deed: str, change: LiveDepth) -> None:
        match deed:
            case "lose" | "give" | "refuse" | "stale" | "drop" | "open" | "wait":
                pass
            case "late":
                self.kept.append(change)
            case "back":
                for one in (change, *reversed(self.kept)):
                    self.stand.hear(one)
                self.kept.clear()
            case _:
                for _ in range(1 + (deed == "twice")):
                    self.stand.hear(change)
        self._do(deed)

    def _do(self, deed: str) -> None:
        stand = self.stand
        match deed:
            case "give" if stand.asked():
                stand.give()
            case "stale" if stand.asked():
                self._stale()
            case "refuse" if stand.asked():
                stand.refuse(stand.effects.index(stand.asked()[0]))
            case "drop":
                stand.drop()
                stand.effects.clear()
            case "open":
                stand.up()
            case "wait":
                stand.advance(1_000)
            case "snapshot" | "fold":
                stand.restart(from_snapshot=deed == "snapshot")

    def _stale(self) -> None:
        """Answer with a book from before the newest change."""
        answer = self.stand.book.answer(self.stand.asked()[0])
        self.stand.effects.remove(self.stand.asked()[0])
        self.stand.hear(self.stand.book.change(bids=[(5_998_000, 1)]))
        self.stand.hear(answer)


def changed(wire: Wire, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> LiveDepth:
    """Change the exchange's book, which never crosses nor runs dry."""
    book = wire.stand.book
    down = {6_000_000 - n * DOLLAR: qty for n, qty in bids}
    up = {6_000_000 + n * DOLLAR: qty for n, qty in asks}
    down = {px: qty for px, qty in down.items() if qty or px in book.bids}
    up = {px: qty for px, qty in up.items() if qty or px in book.asks}
    return book.change(down.items(), up.items())


@settings(max_examples=80)
@given(DEEDS, st.sampled_from([0, 100, 2_500]))
def test_the_book_that_is_said_is_the_exchanges_once_it_is_in_step(
    deeds: list[tuple[str, list[tuple[int, int]], list[tuple[int, int]]]], depth_ms: int
) -> None:
    wire = Wire(depth_ms)
    stand = wire.stand
    for deed, bids, asks in deeds:
        wire.act(deed, changed(wire, bids, asks))
    stand.up()
    stand.hear(stand.book.change())
    for _ in range(3):
        stand.advance(5_000)
        if stand.asked():
            stand.give()
    stand.advance(5_000)
    assert stand.figure("depth_out_of_step") == 0
    assert stand.told() == stand.book.sides(3)
    shown = stand.core.state.feeds["BTC/USDT"].depth
    assert shown is not None
    assert (shown.bids, shown.asks) == stand.told()


@settings(max_examples=25)
@given(DEEDS)
def test_a_said_book_never_crosses_whatever_comes(
    deeds: list[tuple[str, list[tuple[int, int]], list[tuple[int, int]]]],
) -> None:
    wire = Wire(0)
    for deed, bids, asks in deeds:
        wire.act(deed, changed(wire, bids, asks))
        shown = wire.stand.core.state.feeds["BTC/USDT"].depth
        if shown is not None and shown.bids and shown.asks:
            assert shown.bids[0][0] < shown.asks[0][0]
            assert max(len(shown.bids), len(shown.asks)) <= 3
