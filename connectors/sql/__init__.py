"""Speaks SQL, read-only: tables of a data centre, described by a mapping file."""

from __future__ import annotations

from connectors.sql.document import SqlDocument
from connectors.sql.engine import SqlOptions
from connectors.sql.source import Sql

__all__ = ["Sql", "SqlDocument", "SqlOptions"]
