"""The tongue of the national platform: static JSON behind three mirrors (DOMAIN 2.1)."""

from connectors.smartedu.options import SmartEduOptions
from connectors.smartedu.source import SmartEdu

__all__ = ["SmartEdu", "SmartEduOptions"]
