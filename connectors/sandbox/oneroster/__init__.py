"""A county's or a school's OneRoster server (1.2 and 1.1) and CSV bundle, over the sandbox country."""

from __future__ import annotations

from connectors.sandbox.oneroster.bundle import write_bundle
from connectors.sandbox.oneroster.server import CLIENT_ID, CLIENT_SECRET, Terms, app

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "Terms", "app", "write_bundle"]
