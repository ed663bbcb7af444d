"""Speaks 体系枢纽 (应用接入规范 of the national system): accounts and organisations of a platform."""

from __future__ import annotations

from connectors.hub_exchange.gateway import SPELLINGS, HubExchangeOptions, key_info
from connectors.hub_exchange.source import HubExchange

__all__ = ["SPELLINGS", "HubExchange", "HubExchangeOptions", "key_info"]
