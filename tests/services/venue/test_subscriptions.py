"""Requests over WebSocket: obeyed in order, and garbage answered instead of followed."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.venue.subscriptions import STREAMS_MAX, Wanted, obey


def ask(wanted: Wanted, **request: object) -> Any:
    return msgspec.json.decode(obey(msgspec.json.encode(request).decode(), wanted))


def test_streams_are_added_listed_and_taken_away() -> None:
    wanted: Wanted = {}
    assert ask(wanted, method="SUBSCRIBE", params=["b", "a", "b"], id=1) == {
        "result": None,
        "id": 1,
    }
    assert ask(wanted, method="LIST_SUBSCRIPTIONS", id="x") == {"result": ["b", "a"], "id": "x"}
    assert ask(wanted, method="UNSUBSCRIBE", params=["b", "never"], id=2)["result"] is None
    assert list(wanted) == ["a"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 3),
        ("not json", 3),
        ("[1]", 3),
        ("null", 3),
        ('{"id": 1}', 2),
        ('{"method": "BUY", "id": 1}', 2),
        ('{"method": 5, "id": 1}', 2),
        ('{"method": ["SUBSCRIBE"], "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": "a@trade", "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": [1], "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": [], "id": {"a": 1}}', 2),
        ('{"method": "SET_PROPERTY", "params": ["combined", true], "id": 1}', 2),
    ],
)
def test_garbage_is_answered_with_an_error_and_changes_nothing(text: str, code: int) -> None:
    wanted: Wanted = {"kept": None}
    answer = msgspec.json.decode(obey(text, wanted))
    assert answer["error"]["code"] == code
    assert wanted == {"kept": None}


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(str))
def test_no_text_whatever_breaks_the_venue(text: str) -> None:
    assert msgspec.json.decode(obey(text, {}))


def test_a_client_cannot_want_more_streams_than_the_exchange_allows() -> None:
    wanted: Wanted = {}
    names = [f"s{n}" for n in range(STREAMS_MAX)]
    assert "result" in ask(wanted, method="SUBSCRIBE", params=names, id=1)
    assert ask(wanted, method="SUBSCRIBE", params=["more"], id=2)["error"]["code"] == 2
    assert len(wanted) == STREAMS_MAX
