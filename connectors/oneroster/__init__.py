"""The tongue of rosters: OneRoster 1.2 and 1.1, over REST or as a CSV bundle, with our `metadata.cn.*`."""

from __future__ import annotations

from connectors.oneroster.options import OneRosterOptions
from connectors.oneroster.source import OneRoster

__all__ = ["OneRoster", "OneRosterOptions"]
