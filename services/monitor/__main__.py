"""The monitor, wired."""

from bus.process import main
from services.monitor.build import build

if __name__ == "__main__":
    main("monitor", build)
