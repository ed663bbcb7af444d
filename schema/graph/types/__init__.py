"""The graph's types, one file for each file of the model; importing them declares them all."""

from schema.graph.connections import connect
from schema.graph.types import (
    accountability,
    activity,
    organization,
    person,
    platform,
    region,
    report,
    resource,
    viewer,
)
from schema.graph.words import TYPES
from schema.model.words import Kind

for kind in Kind:
    connect(TYPES[kind.value].spec)

__all__ = [
    "accountability",
    "activity",
    "organization",
    "person",
    "platform",
    "region",
    "report",
    "resource",
    "viewer",
]
