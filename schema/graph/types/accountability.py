"""Who looked, and what was agreed to: mappings of the words' values, as the hub keeps them."""

from schema.graph.words import word
from schema.model import accountability as model


@word(model.AccessRecord)
class AccessRecord:
    """Somebody read sensitive data of a person."""


@word(model.ConsentReceipt)
class ConsentReceipt:
    """What was agreed to."""
