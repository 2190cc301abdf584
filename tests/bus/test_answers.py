"""Requests and their ids: a repeat gets the first answer, and what is remembered is bounded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.answers import ANSWERS_BYTES_MAX, ANSWERS_MAX, ASKED_MAX, Answers
from schema.house import Command, CommandDone


def command(request_id: str, verb: str = "kill", *args: str, until: int = 0) -> Command:
    return Command(request_id=request_id, verb=verb, args=args, by="me", until_mono_ns=until)


def done(request_id: str, text: str = "done", body: bytes = b"") -> CommandDone:
    return CommandDone(request_id=request_id, ok=True, text=text, body=body)


def test_what_comes_again_after_its_answer_gets_that_answer() -> None:
    answers = Answers()
    assert answers.take(b"one", command("1")) == command("1")
    assert answers.give(done("1")) == [b"one"]
    assert answers.take(b"two", command("1", until=7)) == done("1")
    assert (answers.give(done("1", "other")), answers.repeated) == ((), 1)


def test_what_comes_again_under_way_is_answered_to_both_and_done_once() -> None:
    answers = Answers()
    answers.take(b"one", command("1"))
    assert answers.take(b"two", command("1")) is None
    assert answers.take(b"one", command("1")) is None
    assert answers.give(done("1")) == [b"one", b"two"]


def test_an_id_for_two_things_at_once_is_counted_and_the_first_is_answered() -> None:
    answers = Answers()
    answers.take(b"one", command("1", "kill", "HALTED"))
    assert answers.take(b"two", command("1", "resume", "why")) is None
    assert (answers.give(done("1")), answers.confused) == ([b"one"], 1)


def test_an_id_that_is_used_anew_for_something_else_is_a_new_request() -> None:
    answers = Answers()
    answers.take(b"one", command("1", "kill", "HALTED"))
    answers.give(done("1"))
    assert answers.take(b"one", command("1", "kill", "FLATTEN")) == command("1", "kill", "FLATTEN")
    answers.give(done("1", "flat"))
    assert answers.take(b"one", command("1", "kill", "FLATTEN")) == done("1", "flat")


def test_an_answer_that_nobody_asked_for_is_nobodys() -> None:
    assert Answers().give(done("1")) == ()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2 * ANSWERS_MAX), st.booleans(), st.integers(0, 300_000)),
        max_size=60,
    )
)
def test_the_memory_is_bounded_in_count_and_bytes(events: list[tuple[int, bool, int]]) -> None:
    answers = Answers()
    for n, answered, size in events:
        if isinstance(answers.take(b"one", command(str(n))), Command) and answered:
            answers.give(done(str(n), body=bytes(size)))
        kept = answers._last.values()
        assert sum(one.size for one in kept) == answers._size <= ANSWERS_BYTES_MAX


def test_requests_that_are_never_answered_are_forgotten_in_the_end() -> None:
    answers = Answers()
    for n in range(ASKED_MAX + ANSWERS_MAX + 5):
        answers.take(b"one", command(str(n)))
    assert len(answers._open) == ASKED_MAX
    for n in range(ASKED_MAX + ANSWERS_MAX + 5):
        answers.give(done(str(n)))
    assert (len(answers._open), len(answers._last)) == (0, ANSWERS_MAX)
