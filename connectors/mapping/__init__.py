"""Native record -> our words, declared as data (TOML), checked at load, compiled once.

A file says for each kind where its records are (`from`), what their key is, and how each field is read::

    [kinds.School]
    from = "xxlb"
    key = "xxdm"
    [kinds.School.fields]
    name = "xxmc"
    stages = { from = "xd", codes = "stages", split = "," }
    region_code = { const = "371502" }

`load_mapping(path)` gives a `Mapping` or raises `MappingRefused`, which lists every flaw with file, line,
cause and remedy. `mapping.kinds[Kind.SCHOOL]` is a tuple of `KindMapping`, one for each place the kind is
read from (`[[kinds.Person]]` twice: pupils and teachers). `KindMapping.reader(getter, own, seal)` compiles
one for a connector; the `Reader` turns a native record into a `Reading` and notes what did not fit in
`Remarks`.
"""

from __future__ import annotations

from connectors.mapping.convert import LOST, NO_KEY, NOT_IN_CODES, Unfit
from connectors.mapping.load import Flaw, Mapping, MappingRefused, load_mapping
from connectors.mapping.read import JOINT, KindMapping, Note, Reader, Reading, Remarks
from connectors.mapping.rules import Document, FieldRule, KeyRule, KindRule, Rule, mapping_schema
from connectors.mapping.strict import Fault, faults_of, nearest

__all__ = [
    "JOINT", "LOST", "NOT_IN_CODES", "NO_KEY", "Document", "Fault", "FieldRule", "Flaw", "KeyRule",
    "KindMapping", "KindRule", "Mapping", "MappingRefused", "Note", "Reader", "Reading", "Remarks", "Rule",
    "Unfit", "faults_of", "load_mapping", "mapping_schema", "nearest",
]  # fmt: skip
