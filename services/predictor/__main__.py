"""The predictor, wired."""

from bus.process import main
from bus.service import Parts
from services.predictor.core import Predictor
from services.predictor.edge import PredictorEdge
from services.predictor.lesson import lesson_of

if __name__ == "__main__":
    main(
        "predictor",
        lambda house, _clock: Parts(
            Predictor(house.settings), PredictorEdge(house.settings.predictor, lesson_of(house))
        ),
    )
