"""The driver's own words that callers need: batch operations, index descriptions, directions."""

from pymongo import ASCENDING, DESCENDING, DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo import IndexModel as Index

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "DeleteOne",
    "Index",
    "InsertOne",
    "ReplaceOne",
    "UpdateMany",
    "UpdateOne",
]
