"""Forecasts where each symbol goes, with a trained model or a baseline, and scores itself."""

NAME = "predictor"
HEARS = ("ingest.bar",)
SAYS = ("predictor.forecast", "predictor.pattern", "predictor.score")
