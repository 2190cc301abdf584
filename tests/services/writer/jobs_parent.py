"""A writer's stand-in that begins one job and then does nothing, until it is killed."""

import json
import sys

from bus.clock import SystemClock
from services.writer.jobs import LOOK_NS, Job, Jobs


class Ahead(SystemClock):
    """A clock that runs so far ahead that everything is due."""

    looks = 0

    def mono_ns(self) -> int:
        self.looks += 1
        return super().mono_ns() + self.looks * LOOK_NS


if __name__ == "__main__":
    asked = Job("test", json.loads(sys.argv[1]))
    jobs = Jobs([lambda: asked], Ahead(), module="tests.services.writer.job_child")
    jobs.tend()
    sys.stdin.read()
