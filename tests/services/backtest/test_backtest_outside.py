"""What a strategy reaches for is told; what others do at the same time is not."""

import gc
from pathlib import Path
from threading import Event, Thread

from services.backtest.outside import Outside


def test_a_file_that_is_opened_in_a_call_is_told(tmp_path: Path) -> None:
    outside = Outside()
    outside.call(lambda: (tmp_path / "mine").write_text("1"))
    assert list(outside.found) == [f"opens {tmp_path / 'mine'}, when it is called"]


def test_what_another_thread_opens_meanwhile_is_not_told(tmp_path: Path) -> None:
    begun, over = Event(), Event()

    def others() -> None:
        while not over.is_set():
            (tmp_path / "other").write_text("1")
            begun.set()

    thread, outside = Thread(target=others), Outside()
    thread.start()
    begun.wait(10)
    outside.call(lambda: sum(range(1_000_000)))
    over.set()
    thread.join()
    assert not outside.found


class Left:
    """Writes a file when it is collected, and only the collector finds it."""

    def __init__(self, path: Path) -> None:
        self.path, self.ring = path, self

    def __del__(self) -> None:
        self.path.write_text("1")


def test_what_others_left_behind_is_not_cleared_away_in_a_call(tmp_path: Path) -> None:
    Left(tmp_path / "left")
    outside = Outside()
    outside.call(lambda: [[number] for number in range(100_000)])
    assert not outside.found
    gc.collect()
    assert (tmp_path / "left").exists()
