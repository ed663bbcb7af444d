"""What was wrong in the tables, grouped by root cause: file, sheet, column, cause, and which rows."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 12  # causes told
ROWS_SHOWN = 5  # row numbers told of each


@dataclass
class Trouble:
    """Faults of one column by one cause."""

    rows: int = 0
    first: list[int] = field(default_factory=list)


class Ledger:
    """Collects faults while sheets are read; bounded, and free of what stood in the cells."""

    def __init__(self) -> None:
        self._troubles: dict[tuple[str, str, str, bool], Trouble] = {}
        self.refused = 0

    def add(self, place: str, column: str, cause: str, row: int, *, refused: bool) -> None:
        """Note a fault in `row` (from 1, as spreadsheets count); `refused`: the row is left out for it."""
        if len(self._troubles) > 1000:
            return
        trouble = self._troubles.setdefault((place, column, cause, refused), Trouble())
        trouble.rows += 1
        self.refused += refused
        if len(trouble.first) < ROWS_SHOWN:
            trouble.first.append(row)

    def lines(self) -> tuple[str, ...]:
        """A summary of the rows left out, then each cause, the most frequent first."""
        causes = sorted(self._troubles.items(), key=lambda item: (-item[0][3], -item[1].rows))
        kinds = len({key[:3] for key, _ in causes if key[3]})
        summary = (
            [f"{self.refused} 行未收，原因 {kinds} 种 / {self.refused} rows left out, {kinds} causes"]
            if self.refused
            else []
        )
        return (*summary, *(_line(key, trouble) for key, trouble in causes[:SHOWN]))


def _line(key: tuple[str, str, str, bool], trouble: Trouble) -> str:
    place, column, cause, refused = key
    rows = "、".join(map(str, trouble.first)) + ("…" if trouble.rows > len(trouble.first) else "")
    result = "整行未收 / row left out" if refused else "该项留空 / cell ignored"
    where = f"列“{column}”" if column else "整行"
    return f"{place} {where}：{cause}（{trouble.rows} 行：{rows}；{result}）"
