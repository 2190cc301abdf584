"""What an answer proves of an order: a refusal needs a proof, all else leaves its fate open."""

import pytest

from services.gateway.wire_codes import is_ban, is_unknown, proves_not_taken, refusal_in
from tests.services.gateway.published import error


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error(-1013, "Filter failure: LOT_SIZE")),
        (400, error(-1021)),
        (400, error(-1022)),
        (400, error(-1100)),
        (400, error(-1121)),
        (400, error(-1130)),
        (400, error(-1158, "Order type not supported in OCO.")),
        (400, error(-1199)),
        (400, error(-2010, "Account has insufficient balance for requested action.")),
        (401, error(-2014)),
        (401, error(-2015)),
        (403, error(-2015)),
        (429, error(-1003)),
        (429, error(-1015)),
        (429, "<html>slow down</html>"),
        (418, ""),
    ],
)
def test_these_answers_prove_that_an_order_was_not_taken(status: int, body: str) -> None:
    refusal = refusal_in(status, body)
    assert refusal is not None
    assert proves_not_taken(status, refusal)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *[(400, error(code)) for code in (-1000, -1001, -1006, -1007, -1008, -2013, -1, 0)],
        (400, error(-2010, "Duplicate order sent.")),
        (401, error(-1007)),
        (403, "<html>forbidden</html>"),
        (404, error(-1121)),
        (500, error(-1013)),
        (503, error(-2010)),
        (504, ""),
        (200, error(-2010)),
        (200, ""),
        (400, '{"code":-1013,"ms'),
        (400, '{"code":"-1013","msg":"no"}'),
        (400, "[]"),
    ],
)
def test_these_answers_leave_the_fate_of_an_order_open(status: int, body: str) -> None:
    refusal = refusal_in(status, body)
    assert refusal is None or not proves_not_taken(status, refusal)


def test_a_ban_is_known_by_status_or_code() -> None:
    assert is_ban(418, None)
    assert is_ban(400, refusal_in(400, error(-1003)))
    assert not is_ban(400, refusal_in(400, error(-1013)))


def test_an_unknown_order_is_known_by_its_code_alone() -> None:
    assert is_unknown(400, refusal_in(400, error(-2013)))
    assert not is_unknown(500, refusal_in(500, error(-2013)))
    assert not is_unknown(404, refusal_in(404, "order does not exist"))
