"""Regular expressions: the subset, the same on every database, and within bounds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.db.expressions import Regex
from inventory.models import Provider
from inventory.rest.errors import BadInput
from inventory.rest.query.regex import MAX_DEPTH, MAX_EXPANSION, MAX_LENGTH, translated
from tests.cast import provider
from tests.examples import EXAMPLES

TEXTS = [
    "web-1", "WEB-1", "web_10", "db", "a.b", "a+b", "[x]", "tab\there", "two\nlines", "", "Ärger", "ärger", "42",
    "it's", "back\\slash", "a" * 30, "^caret$", "\N{GRINNING FACE}", "a-b", "{2}", "|",
]  # fmt: skip


@pytest.fixture
def texts(db: None) -> None:
    for number, text in enumerate(TEXTS):
        provider(f"{number}", project=text)


def found(written: str) -> list[str]:
    rows = Provider.objects.filter(Regex(F("project"), translated(written)))
    return [str(text) for text in rows.order_by("pk").values_list("project", flat=True)]


def expected(pattern: str, flags: re.RegexFlag = re.ASCII) -> list[str]:
    """What Python finds, told to understand a pattern as the documentation says."""
    reference = re.compile(pattern, re.DOTALL | flags)
    return [text for text in TEXTS if reference.search(text)]


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize(
    "pattern",
    [
        "web", "^web", "1$", "^web-1$", "^$", ".", "^.$", "e.o", "two.lines", r"a\.b", r"a\+b", r"\[x\]", r"\\",
        r"\t", r"\n", r"\d", r"^\d+$", r"\w-\w", r"\s", r"^\S+$", r"^\D*$", r"\W", "[ab]", "[^a-z]", "[a-c0-9]$",
        r"[\d_]", r"[\]\\]", "[-a]b", "[a-]", "web|db", "^(web|db)", "(?:we|d)b", "a{3}", "^a{30}$", "^a{31}",
        "a{2,}", "^a{0,2}$", "colou?r|we?b", "(a|b)+$", "()", "a|", r"\$", r"\^caret", r"\{2\}", r"\|", "[|]",
        "[$^.]", "\N{GRINNING FACE}", "[ä-ö]", "Ä", "[^\n]lines",
    ],
)  # fmt: skip
def test_a_pattern_means_what_the_documentation_says(pattern: str) -> None:
    assert found(f"/{pattern}/") == found(pattern) == expected(pattern)


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize("pattern", ["WEB", "[W-W]EB", "^[a-c]", "ÄRGER", "[ä]rger", r"\w+-1", "X"])
def test_with_i_the_case_of_letters_is_ignored(pattern: str) -> None:
    assert found(f"/{pattern}/i") == expected(pattern, re.IGNORECASE)


def test_a_slash_in_a_pattern_is_itself() -> None:
    assert translated("/a/b/") == translated("a/b")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("/web", "must end in / or /i"),
        ("/web/x", "must end in / or /i"),
        ("(", "is missing a )"),
        (")", "has an unmatched )"),
        ("[", "ends too early"),
        ("[]", "has an empty class"),
        ("[^]", "has an empty class"),
        ("[[:alpha:]]", "has a [ in a class"),
        ("[b-a]", "has the range b-a"),
        ("*", "has * where nothing is repeated"),
        ("a|*", "has * where nothing is repeated"),
        ("a**", "has * after a repeat"),
        ("a+?", "has ? after a repeat"),
        ("a{2}{3}", "has { after a repeat"),
        ("^*", "repeats ^"),
        ("a{", "has the repeat {"),
        ("a{,3}", "has the repeat {,3"),
        ("a{x}", "has the repeat {x"),
        ("a{3,2}", "has the repeat {3,2}, which is not from 0 to 255"),
        ("a{256}", "has the repeat {256}, which is not from 0 to 255"),
        ("a{99999999999}", "has the repeat {99999999999"),
        ("a}", "has } where nothing is repeated"),
        (r"\b", "has the unsupported escape"),
        (r"\1", "has the unsupported escape"),
        (r"\pL", "has the unsupported escape"),
        (r"\u0041", "has the unsupported escape"),
        (r"[\D]", "has the unsupported escape"),
        ("a\\", "ends too early"),
        ("(?=a)", "has a group of an unsupported kind: (?="),
        ("(?P<n>a)", "has a group of an unsupported kind: (?P"),
        ("(?i)a", "has a group of an unsupported kind: (?i"),
        ("/[a-\N{GRINNING FACE}]/i", "too wide to ignore case"),
        ("a" * (MAX_LENGTH + 1), "at most"),
        ("(" * (MAX_DEPTH + 1) + ")" * (MAX_DEPTH + 1), "groups within each other"),
        ("(a{200}){200}", "is too large"),
        ("((((a{10}){10}){10}){10}){10}", "is too large"),
        ("(a{255}b*){4,}", "is too large"),
        (f"a{{{255}}}" * (MAX_EXPANSION // 255 + 1), "is too large"),
    ],
)
def test_what_is_not_in_the_subset_or_too_large_is_refused(written: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        translated(written)
    assert message in str(refused.value.detail)


HOSTILE = [
    "(a+)+$",
    "(a|a)*b",
    "(a*)*b",
    "(a|aa)+$",
    "(.*a){20}b",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(a?){25}a{25}b",
]


@pytest.mark.parametrize("pattern", [*HOSTILE, "(?:[^a]|a[^b]){100}x-ab", "(x+x+)+y", "(?:a{0,25}){0,25}b"])
def test_a_hostile_pattern_is_done_within_the_time_that_the_database_gives_a_query(db: None, pattern: str) -> None:
    """Each takes minutes to years where an engine tries one way after the other."""
    for number in range(20):
        provider(f"{number}", project="a" * 250 + "!")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '10s'")
    assert found(f"/{pattern}/") in ([], ["a" * 250 + "!"] * 20)


def patterns() -> st.SearchStrategy[str]:
    """Patterns of the subset, made from the inside out."""
    atoms = st.sampled_from([*"abB1.ä", r"\d", r"\D", r"\w", r"\s", r"\S", "[ab]", "[^a]", "[a-c1]", r"\."])
    repeats = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,3}", "{2,}"])

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        group = st.builds("({}){}".format, inner, repeats)
        branch = st.lists(st.builds("{}{}".format, atoms, repeats) | group, max_size=3).map("".join)
        anchored = st.builds(
            "{}{}{}".format, st.sampled_from(["", "", "^"]), branch, st.sampled_from(["", "", "$"])
        )
        return st.lists(anchored, min_size=1, max_size=2).map("|".join)

    return st.recursive(atoms, larger, max_leaves=6)


@pytest.mark.django_db
@settings(max_examples=EXAMPLES)
@given(patterns(), st.lists(st.text("abB1ä. \n", max_size=6), min_size=1, max_size=6))
def test_any_pattern_finds_what_python_finds(pattern: str, texts: list[str]) -> None:
    reference = re.compile(pattern.replace("$", r"\Z"), re.ASCII | re.DOTALL)
    found = matches(translated(f"/{pattern}/"), texts)
    assert found == [bool(reference.search(text)) for text in texts]


def matches(pattern: str, texts: list[str]) -> list[bool]:
    """Asks the database, without rows."""
    operator = "portcullis_regex(%s, CAST(%s AS text))" if connection.vendor == "sqlite" else "%s ~ %s"
    arguments: list[Any] = []
    for text in texts:
        arguments += [pattern, text] if connection.vendor == "sqlite" else [text, pattern]
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join([operator] * len(texts)), arguments)
        return [bool(value) for value in cursor.fetchone()]
