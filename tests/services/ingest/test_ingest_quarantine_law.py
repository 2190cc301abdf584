"""Whatever cannot be true is mixed into a true stream: what is said is as without it."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.market import Bar
from services.ingest.effects import Spoiled
from tests.services.ingest.exchange import GRACE_MS, Stand, fold, row_of, tape_of
from tests.services.ingest.hostile import HOSTILE, quote, said_trades, true_trades
from tests.services.ingest.steady import steady

PLANTS = st.lists(
    st.tuples(
        st.sampled_from([*HOSTILE, "twice", "old", "swap", "text", "quote"]),
        st.sampled_from(["before", "instead", "after"]),
    ),
    min_size=1,
    max_size=40,
)


def plant(stand: Stand, kind: str, where: str) -> None:
    stand.advance(500)
    rows = stand.due()
    if kind == "text":
        stand.hear(Spoiled(symbol="", kind="text", reason="none", row="}{"))
    elif kind == "quote":
        quote(stand, "NaN", "-1")
    elif not rows:
        return
    if kind not in HOSTILE:
        odd = {"twice": rows * 2, "old": (*stand.exchange.tape[:3], *rows), "swap": rows[::-1]}
        stand.live(odd.get(kind, rows))
        return
    bad = tuple(HOSTILE[kind](row) for row in rows)
    stand.live({"before": bad + rows, "instead": bad, "after": rows + bad}[where])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plants=PLANTS)
def test_hostile_rows_change_nothing_of_what_is_said(plants: list[tuple[str, str]]) -> None:
    stand = steady()
    for kind, where in plants:
        plant(stand, kind, where)
        stand.settle()
    for _ in range(8):
        stand.advance(GRACE_MS)
        stand.live(stand.due())
        stand.settle()
    assert said_trades(stand) == true_trades(stand)
    assert stand.trades()[-1] == stand.exchange.until(stand.now_ns)[-1][0]
    assert stand.status() == "OK"
    assert not [gap for gap in stand.gaps() if not gap.filled]
    minutes = fold(tape_of([500] * 400), "1m")
    for bar in [m for m in stand.said if isinstance(m, Bar) and m.timeframe == "1m"]:
        assert row_of(bar) in minutes
