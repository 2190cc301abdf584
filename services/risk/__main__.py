"""The process `risk`: a verdict on every order, before any other."""

from bus.process import main
from bus.service import Parts
from services.risk.core import Risk

if __name__ == "__main__":
    main("risk", lambda house, _clock: Parts(Risk(house.settings)))
