"""The database: the one room that knows the driver, and hands out collections."""

from hub.mongo.client import Driver, Mongo
from hub.mongo.collection import Collection, Document, Feed, Updated
from hub.mongo.errors import (
    StorageBusy,
    StorageConflict,
    StorageDown,
    StorageError,
    StorageRefused,
)
from hub.mongo.found import found_replica_set
from hub.mongo.words import (
    ASCENDING,
    DESCENDING,
    DeleteOne,
    Index,
    InsertOne,
    ReplaceOne,
    UpdateMany,
    UpdateOne,
)

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "Collection",
    "DeleteOne",
    "Document",
    "Driver",
    "Feed",
    "Index",
    "InsertOne",
    "Mongo",
    "ReplaceOne",
    "StorageBusy",
    "StorageConflict",
    "StorageDown",
    "StorageError",
    "StorageRefused",
    "UpdateMany",
    "UpdateOne",
    "Updated",
    "found_replica_set",
]
