"""Reading one filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.rest.errors import BadInput
from inventory.rest.query.grammar import MAX_LENGTH, Filter, ListOperand, Null, Operator, Text, parse


@pytest.mark.parametrize("operator", Operator)
@pytest.mark.parametrize("space", ["", " ", "   "])
def test_every_operator_is_read_with_and_without_spaces(operator: Operator, space: str) -> None:
    expected = Filter(("name",), operator, Text("web"))
    assert parse(f"{space}name{space}{operator.value}{space}'web'{space}") == expected


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("web", "web"),
        ("'web'", "web"),
        ('"web"', "web"),
        ("'it's'", "it's"),
        ("''web''", "'web'"),
        ("'say \"web\"'", 'say "web"'),
        ("'web\"", "'web\""),
        ("' web '", " web "),
        ("  two words  ", "two words"),
        ("'NULL'", "NULL"),
        ("'[a,b]'", "[a,b]"),
        ("'\\'", "\\"),
        ("a\\'b", "a\\'b"),
        ("''", ""),
        ("", ""),
        ("'", "'"),
        ("nullable", "nullable"),
        ("[a", "[a"),
        ("'or b'", "or b"),
    ],
)
def test_the_outer_quotes_are_removed_and_everything_inside_is_literal(written: str, value: str) -> None:
    assert parse(f"name={written}").operand == Text(value)


@pytest.mark.parametrize("written", ["NULL", "null", "nil", "Nil", " NULL "])
def test_null_is_written_without_quotes_in_any_case(written: str) -> None:
    assert parse(f"name={written}").operand == Null()


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ("[a,b]", ["a", "b"]),
        ("[ a , b ]", ["a", "b"]),
        ("['a','b']", ["a", "b"]),
        ("['a,b',c]", ["a,b", "c"]),
        ("['it's',\"x\"]", ["it's", "x"]),
        ("[a]", ["a"]),
        ("[a,]", ["a", ""]),
        ("[,a]", ["", "a"]),
        ("['']", [""]),
        ("['a]", ["'a"]),
        ("[a'b,c'd]", ["a'b", "c'd"]),
        ("[[x],y]", ["[x]", "y"]),
    ],
)
def test_a_list_has_its_items_between_commas(written: str, items: list[str]) -> None:
    assert parse(f"name={written}").operand == ListOperand(tuple(map(Text, items)))


def test_null_can_be_in_a_list() -> None:
    assert parse("name=[NULL,'nil',nil]").operand == ListOperand((Null(), Text("nil"), Null()))


@pytest.mark.parametrize("text", ["or name='db'", "  OR  name='db'", "or name = db"])
def test_one_that_begins_with_or_is_an_alternative(text: str) -> None:
    assert parse(text) == Filter(("name",), Operator.EQUAL, Text("db"), alternative=True)


@pytest.mark.parametrize("operator", Operator)
def test_the_longest_operator_is_taken_and_what_follows_is_the_value(operator: Operator) -> None:
    for value in (">x", "x=y", "a != b", "= x"):
        if operator.value + value[0] not in {one.value for one in Operator}:
            assert parse(f"name{operator.value}{value}") == Filter(("name",), operator, Text(value))
    assert parse("name===1") == Filter(("name",), Operator.EXACT, Text("=1"))


def test_an_attribute_may_begin_like_or() -> None:
    assert parse("order=1").path == ("order",)
    for text in ("or='1'", "or = '1'"):
        assert parse(text) == Filter(("or",), Operator.EQUAL, Text("1"))


def test_a_long_filter_without_an_operator_is_refused_soon() -> None:
    """Each of these would take seconds if the time grew with the square of its length."""
    for text in ("or" + " " * 3900 + "!", "a" * 2000 + " " * 1900 + "b", "or " * 1300):
        with pytest.raises(BadInput, match="Unknown operator"):
            parse(text)


def test_a_path_is_split_at_its_dots() -> None:
    assert parse("cloud_tenant.name=x").path == ("cloud_tenant", "name")


@pytest.mark.parametrize(
    "text", ["", "name", "name web", "='x'", "name^1", "name~1", "name LIKE 'x'", "or", "name!1"]
)
def test_an_operator_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="Unknown operator specified in filter") as refused:
        parse(text)
    assert str(refused.value.detail).endswith(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name=[]", "The list is empty"),
        ("name=[ ]", "The list is empty"),
        ("name=a\0b", "NUL"),
        ("name=" + "x" * MAX_LENGTH, "at most"),
    ],
)
def test_what_is_wrong_with_a_filter_is_said(text: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(text)
    assert message in str(refused.value.detail)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_whatever_is_in_quotes_is_the_value(value: str) -> None:
    for quote in "'\"":
        assert parse(f"name={quote}{value}{quote}").operand == Text(value)


@given(st.text())
def test_no_text_is_a_failure(text: str) -> None:
    try:
        parse(text)
    except BadInput:
        return
