"""The predictor's edge: hands up the model that the shelf points to, and has one made."""

import asyncio
from pathlib import Path

from bus.service import Bridge, Edge
from schema.forecast import TrainingChanged
from schema.settings import PredictorSettings
from services.predictor.card import ModelError, read_card, require_fit
from services.predictor.edge_training import Training
from services.predictor.lesson import Lesson
from services.predictor.network import read_network
from services.predictor.shelf import current, pointer_path

LOOK_S = 2.0

Seen = tuple[int, int, int]
"""What changes when the pointer is replaced: inode, time, size."""


class PredictorEdge(Edge):
    """Looks at the shelf again and again; where there is no model that fits, it trains one."""

    def __init__(self, settings: PredictorSettings, lesson: Lesson, look_s: float = LOOK_S) -> None:
        self._settings = settings
        self._models = Path(lesson.models)
        self._pointer = pointer_path(self._models, lesson.world)
        self._world = lesson.world
        self._look_s = look_s
        self._seen: Seen | None = None
        self._usable = False
        self._training = Training(lesson)

    async def run(self, bridge: Bridge) -> None:
        bridge.ready(None)
        try:
            while True:
                await self._look(bridge)
                await self._care(bridge)
                await asyncio.sleep(self._look_s)
        finally:
            await self._training.end()

    async def _look(self, bridge: Bridge) -> None:
        seen = _stamp(self._pointer)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            arrived = current(self._models, self._world)
            if arrived is None:
                return
            require_fit(read_card(arrived.card), self._settings)
            read_network(arrived.weights)
        except ModelError as error:
            bridge.note("model.refused", why=str(error))
            return
        self._usable = True
        bridge.note("model.arrived", sha256=arrived.sha256, folder=arrived.source)
        await bridge.hear(arrived)

    async def _care(self, bridge: Bridge) -> None:
        if self._training.runs:
            outcome = self._training.outcome()
            if outcome is not None:
                bridge.note("training.ended", why=outcome or "it has made a model")
                await bridge.hear(TrainingChanged(running=False, detail=outcome))
        elif self._settings.train and not self._usable and self._training.due(bridge.clock):
            await self._begin(bridge)

    async def _begin(self, bridge: Bridge) -> None:
        try:
            await self._training.begin(bridge.clock)
        except OSError as error:  # The machine is full; the baseline forecasts meanwhile.
            bridge.note("training.ended", why=str(error))
            return
        bridge.note("training.began", pid=self._training.pid)
        await bridge.hear(TrainingChanged(running=True))


def _stamp(path: Path) -> Seen | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
