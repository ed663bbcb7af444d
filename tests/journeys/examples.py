"""The queries that the query page offers: journeys ask them, so that none of them can rot."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {
    example["id"]: example
    for example in json.loads(files("hub.web").joinpath("static/examples.json").read_text("utf-8"))
}
FIRST_LIGHT: str = EXAMPLES["first-light"]["query"]
