"""Figures: statistics, metrics, honours."""

from schema.graph.types.sourced import Sourced
from schema.graph.words import word
from schema.model import report as model


@word(model.Statistics)
class Statistics(Sourced):
    """A line of a statistical table."""


@word(model.Metric)
class Metric(Sourced):
    """One figure."""


@word(model.Honour)
class Honour(Sourced):
    """An award or pilot status."""
