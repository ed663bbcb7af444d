"""The tongue of resource repositories: OAI-PMH 2.0 with LOM and Dublin Core."""

from connectors.oai_pmh.options import OaiPmhOptions
from connectors.oai_pmh.source import OaiPmh

__all__ = ["OaiPmh", "OaiPmhOptions"]
