"""The matrix of deaths: whole, evenly sampled, and its steps known by what is said."""

from collections import Counter

from schema.trading import OrderIntent
from tests.chaos.orders_cells import FAULTS, STEPS, Steps, matrix, sample
from tests.chaos.orders_house import TRADERS


def test_the_matrix_has_each_process_at_each_step_under_each_fault_once() -> None:
    cells = matrix()
    assert len(cells) == len(set(cells)) == len(TRADERS) * len(STEPS) * len(FAULTS)


def test_a_sample_is_even_and_follows_from_its_seed() -> None:
    cells = sample(5, 72)
    assert cells == sample(5, 72) != sample(6, 72)
    assert len(set(cells)) == 72
    assert set(Counter(cell.service for cell in cells).values()) == {9}
    assert set(Counter(cell.step for cell in cells).values()) == {8}


def test_an_intent_is_one_step_and_no_other() -> None:
    intent = OrderIntent(
        ts_event=0,
        client_order_id="a",
        strategy="drill",
        symbol="BTC/USDT",
        side="buy",
        order_type="market",
        qty=5,
        px_exp=2,
        qty_exp=5,
    )
    assert Steps().take(intent) == ["intent"]
