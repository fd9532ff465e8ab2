from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.report import DOCUMENT, Aim, Section, milliseconds, replaced, write

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


@pytest.mark.parametrize(
    ("aim", "text"),
    [
        (Aim(1.5, 1.5), "1.50 (aim ≤ 1.50: met)"),
        (Aim(1.51, 1.5), "1.51 (aim ≤ 1.50: **missed**)"),
        (Aim(0.35, 0.35, at_least=True), "0.35 (aim ≥ 0.35: met)"),
        (Aim(0.3, 0.35, at_least=True), "0.30 (aim ≥ 0.35: **missed**)"),
        (Aim(151, 150, form="{:.0f}"), "151 (aim ≤ 150: **missed**)"),
        (Aim(2), "2.00"),
    ],
)
def test_what_was_reached_stands_next_to_its_aim(aim: Aim, text: str) -> None:
    assert str(aim) == text


def test_a_section_is_a_table_in_markdown() -> None:
    made = Section("Reads", ("ms", "p50"), [("one", "1.0"), ("list", Aim(1))])
    assert str(made) == "### Reads\n\n| ms | p50 |\n| --- | --: |\n| one | 1.0 |\n| list | 1.00 |"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0012345, "1.23"), (0.0123, "12.3"), (0.1234, "123"), (1.2345, "1,234")]
)
def test_times_have_about_three_digits(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


def test_what_is_between_the_marks_is_replaced_and_nothing_else() -> None:
    once = replaced(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new\n", "bench")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replaced(once, "new", "bench") == once


@pytest.mark.parametrize(
    "text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}", f"{END}{BEGIN}{END}"]
)
def test_without_its_marks_nothing_is_written(text: str, tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(text)
    with pytest.raises(ValueError, match="where the tables go"):
        write("new", "bench", document)
    assert document.read_text() == text


@pytest.mark.parametrize("mark", ["bench", "peers", "bulk"])
def test_the_document_has_the_marks(mark: str) -> None:
    replaced(DOCUMENT.read_text(encoding="utf-8"), "new", mark)
