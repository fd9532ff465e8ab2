"""Tables in Markdown, and their place in `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Aim:
    """What was reached and what is to be: at most `aim`, or at least; None where no goal says so."""

    reached: float
    aim: float | None = None
    at_least: bool = False
    form: str = "{:.2f}"

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.reached >= self.aim if self.at_least else self.reached <= self.aim

    def __str__(self) -> str:
        reached = self.form.format(self.reached)
        if self.aim is None:
            return reached
        bound = self.form.format(self.aim)
        return f"{reached} (aim {'≥' if self.at_least else '≤'} {bound}: {'met' if self.met else '**missed**'})"


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __str__(self) -> str:
        """A heading and a table whose first column is text and whose others are figures."""
        lines = [self.headers, ["---", *["--:"] * (len(self.headers) - 1)], *self.rows]
        table = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
        return f"### {self.title}\n\n{table}"


def milliseconds(seconds: float) -> str:
    """With three digits that count, or so."""
    found = 1000 * seconds
    return f"{found:.2f}" if found < 10 else f"{found:.1f}" if found < 100 else f"{found:,.0f}"


def replaced(text: str, made: str, mark: str) -> str:
    """`text` with `made` between `<!-- mark -->` and `<!-- /mark -->`; `ValueError` if not both are there once."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, begins, rest = text.partition(begin)
    _, ends, after = rest.partition(end)
    if not (begins and ends) or begin in rest or end in before + after:
        raise ValueError(f"one {begin} and then one {end} say where the tables go")
    return f"{before}{begin}\n\n{made.strip()}\n\n{end}{after}"


def write(made: str, mark: str, path: Path = DOCUMENT) -> None:
    """Put this between the marks of the document."""
    path.write_text(replaced(path.read_text(encoding="utf-8"), made, mark), encoding="utf-8")
