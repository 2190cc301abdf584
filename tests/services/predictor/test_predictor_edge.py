"""The predictor's edge: models from the shelf, and a training that never outlives it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.clock import SystemClock
from bus.edge import EdgeThread
from schema.forecast import ModelArrived, TrainingChanged
from services.predictor.card import Card, ModelError
from services.predictor.edge import PredictorEdge
from services.predictor.lesson import Lesson
from services.predictor.shelf import current, install, pointer_path
from services.predictor.training import ORPHAN_CODE
from tests.services.predictor.arrivals import card, weights
from tests.services.predictor.markets import ROOT, lesson, settings, walk
from tests.services.predictor.shards import fill

CLOCK = SystemClock()
DEADLINE_NS = 30_000_000_000
WORLD = "local-test"


class Side:
    """The main thread's side of an edge."""

    def __init__(self, order: Lesson, *, train: bool = False) -> None:
        edge = PredictorEdge(settings(train=train).predictor, order, look_s=0.02)
        self.thread = EdgeThread(edge, CLOCK)
        self.heard: list[Any] = []
        self.notes: list[tuple[str, dict[str, object]]] = []
        self.thread.start()

    def until(self, done: Callable[[], object]) -> None:
        """Take what comes up until a condition holds."""
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        while not done():
            assert self.thread.failure is None, self.thread.failure
            assert CLOCK.mono_ns() < deadline_ns, (self.heard, self.notes)
            CLOCK.pause_ms(5)
            self.heard += self.thread.take()
            self.notes += self.thread.notes()

    def told(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.notes if name == event]


@pytest.fixture
def sides() -> Iterator[list[Side]]:
    found: list[Side] = []
    yield found
    for side in found:
        side.thread.stop()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def put(models: Path, seed: int, **changes: Any) -> Card:
    data = weights(seed)
    described = card(data, **changes)
    install(models, WORLD, data, described)
    return described


def test_the_model_that_is_pointed_to_is_handed_up(
    tmp_path: Path, models: Path, sides: list[Side]
) -> None:
    first = put(models, seed=1)
    sides.append(side := Side(lesson(tmp_path)))
    side.until(lambda: side.heard)
    second = put(models, seed=2)
    side.until(lambda: len(side.heard) == 2)
    assert [one.sha256 for one in side.heard] == [first.sha256, second.sha256]
    assert side.heard[1].source == second.sha256[:16]
    assert side.thread.why_not is None


def test_what_cannot_be_used_is_told_and_the_next_good_one_comes(
    tmp_path: Path, models: Path, sides: list[Side]
) -> None:
    put(models, seed=1)
    pointer_path(models, WORLD).write_bytes(b"garbage")
    sides.append(side := Side(lesson(tmp_path)))
    side.until(lambda: side.told("model.refused"))
    put(models, seed=2, horizon_bars=60)
    side.until(lambda: len(side.told("model.refused")) == 2)
    assert side.heard == []
    good = put(models, seed=3)
    side.until(lambda: side.heard)
    assert side.heard[0].sha256 == good.sha256
    assert "is damaged" in str(side.told("model.refused")[0]["why"])
    assert "horizon of 60" in str(side.told("model.refused")[1]["why"])


def test_a_shelf_without_a_pointer_has_no_model(models: Path) -> None:
    assert current(models, WORLD) is None


def test_a_model_lies_on_the_shelf_whole(models: Path) -> None:
    described = put(models, seed=1)
    put(models, seed=1)  # Made again of the same bars.
    found = current(models, WORLD)
    assert found is not None
    assert (found.sha256, found.weights) == (described.sha256, weights(1))
    assert sorted(path.name for path in models.iterdir()) == [
        described.sha256[:16],
        f"current-{WORLD}.json",
    ]


@pytest.mark.parametrize(
    ("pointer", "reason"),
    [
        (b"", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (b'{"sha256":"ab","path":"../../etc"}', "16 hexadecimal digits"),
        (b'{"sha256":"ab","path":"0123456789abcdef"}', "cannot be read"),
        (b" " * 5000, "more than 4096 bytes"),
    ],
)
def test_a_pointer_that_leads_nowhere_is_refused(models: Path, pointer: bytes, reason: str) -> None:
    models.mkdir()
    pointer_path(models, WORLD).write_bytes(pointer)
    with pytest.raises(ModelError, match=reason):
        current(models, WORLD)


def test_weights_that_were_changed_are_refused(models: Path) -> None:
    described = put(models, seed=1)
    (models / described.sha256[:16] / "model.safetensors").write_bytes(weights(2))
    with pytest.raises(ModelError, match="expected sha256"):
        current(models, WORLD)


def test_where_there_is_no_history_nothing_is_trained(tmp_path: Path, sides: list[Side]) -> None:
    fill(tmp_path / "db", walk(200))
    sides.append(side := Side(lesson(tmp_path), train=True))
    began_ns = CLOCK.mono_ns()
    side.until(lambda: CLOCK.mono_ns() - began_ns > 300_000_000)
    assert side.heard == [] and side.notes == []


def test_the_running_predictor_never_imports_what_trains() -> None:
    asked = (
        "import sys, runpy; runpy.run_module('services.predictor', run_name='wiring')\n"
        "print(sorted({'torch', 'pandas', 'ccxt', 'numpy', 'apsw'} & set(sys.modules)))\n"
        "from tests.services.predictor.arrivals import weights\n"
        "from services.predictor.network import read_network\n"
        "read_network(weights(1))\n"
        "print(sorted({'torch', 'pandas', 'ccxt'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", asked]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["[]", "[]"]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow
def test_without_a_model_one_is_trained_and_handed_up(tmp_path: Path, sides: list[Side]) -> None:
    fill(tmp_path / "db", walk(1500))
    sides.append(side := Side(lesson(tmp_path), train=True))
    side.until(lambda: [one for one in side.heard if isinstance(one, ModelArrived)])
    side.until(lambda: side.told("training.ended"))
    assert side.told("training.ended") == [{"why": "it has made a model"}]
    began, *rest = side.heard
    assert began == TrainingChanged(running=True)
    assert TrainingChanged(running=False) in rest


@pytest.mark.slow
def test_a_training_that_fails_says_why_and_is_not_repeated_at_once(
    tmp_path: Path, models: Path, sides: list[Side]
) -> None:
    fill(tmp_path / "db", walk(1500))
    models.write_text("a file where the folder belongs")
    sides.append(side := Side(lesson(tmp_path), train=True))
    side.until(lambda: side.told("training.ended"))
    assert "cannot be written" in str(side.told("training.ended")[0]["why"])
    began_ns = CLOCK.mono_ns()
    side.until(lambda: CLOCK.mono_ns() - began_ns > 200_000_000)
    assert len(side.told("training.began")) == 1


@pytest.mark.slow
def test_a_training_ends_with_its_edge(tmp_path: Path) -> None:
    fill(tmp_path / "db", walk(1500))
    side = Side(lesson(tmp_path, epochs=10_000), train=True)
    side.until(lambda: side.told("training.began"))
    pid = int(str(side.told("training.began")[0]["pid"]))
    assert not gone(pid)
    side.thread.stop()
    assert gone(pid)


@pytest.mark.slow
def test_a_training_whose_predictor_was_killed_ends_by_itself(tmp_path: Path) -> None:
    fill(tmp_path / "db", walk(1500))
    order = msgspec.json.encode(lesson(tmp_path, epochs=10_000)).decode()
    command = [sys.executable, "-m", "services.predictor.training", order]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == ORPHAN_CODE
