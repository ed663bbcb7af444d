"""The tongue of learning record stores: xAPI 1.0.3 statements, read and harvested, minimised at the door."""

from __future__ import annotations

from connectors.xapi.options import Meaning, XapiOptions
from connectors.xapi.source import Xapi

__all__ = ["Meaning", "Xapi", "XapiOptions"]
