"""Tables of experiments: as wide as a page, whatever is in them, and ending with what came out."""

import re

import pytest

from tinygrad_res.experiments.outcome import WIDTH, aligned, filled, in_short, on_one_side
from tinygrad_res.experiments.settings import quickly


def test_a_table_that_fits_has_a_line_for_its_heads():
    assert aligned(["net", "test error %"], [["plain", 1.5], ["residual", 0.5]]).splitlines() == [
        "net       test error %",
        "plain              1.5",
        "residual           0.5",
    ]


def test_heads_of_a_wide_table_take_several_lines_before_columns_go_elsewhere():
    cells = ["plain", *("1" * 30 for _ in range(3))]
    heads = ["net", "a", "what a head of nearly fifty characters here says", "b"]
    assert aligned(heads, [cells]).splitlines() == [
        "what a head of nearly fifty".rjust(69),
        "  ".join(["net  ", "a".rjust(30), "characters here says".rjust(30), "b".rjust(30)]),
        "  ".join(cells),
    ]


@pytest.mark.parametrize("columns", [4, 7, 10])
def test_columns_that_do_not_fit_follow_beside_those_that_tell_rows_apart(columns):
    rows = [
        ["plain", depth, *(f"{depth}{column}".rjust(30, "x") for column in range(columns))]
        for depth in (20, 56)
    ]
    table = aligned(["net", "layers", *(f"head {c}" for c in range(columns))], rows)
    assert max(map(len, table.splitlines())) <= WIDTH
    tables = [part.splitlines() for part in table.split("\n\n")]
    assert len(tables) == -(-columns // 3)  # 13 characters for the keys, 32 for each column
    for heads, *lines in tables:
        assert heads.split()[:2] == ["net", "layers"]
        assert [line.split()[:2] for line in lines] == [["plain", "20"], ["plain", "56"]]
    for row in rows:
        assert [table.count(cell) for cell in row[2:]] == columns * [1]
    assert re.findall("head .", table) == [f"head {c}" for c in range(columns)]


def test_sentences_that_rows_begin_with_take_several_lines_and_numbers_stand_beside_the_last():
    said = "forward, elements summed: f_1, of 3 paths across 2 weight layers"
    cells = ["1" * 24, "2" * 22, "holds"]
    table = aligned(["", "expected", "found", ""], [["x", 1, 2, "holds"], [said, *cells]])
    heads, first, *second = table.splitlines()
    assert max(map(len, table.splitlines())) <= WIDTH
    assert heads.split() == ["expected", "found"]
    assert first.split() == ["x", "1", "2", "holds"]
    assert second == [
        "forward, elements summed: f_1, of",
        "  3 paths across 2 weight layers   " + "  ".join(cells),
    ]


def test_a_quick_tables_last_sentence_is_as_wide_as_tables():
    (line,) = quickly(True, "steps " * 30)
    assert max(map(len, line.splitlines())) <= WIDTH
    assert line.split() == ["quick", "setting:", *30 * ["steps"]]


def test_an_empty_head_stays_empty_where_heads_are_folded():
    table = aligned(["net", "", "many words " * 12], [["plain", "holds", 1.5]])
    assert max(map(len, table.splitlines())) <= WIDTH
    assert table.splitlines()[-1].split() == ["plain", "holds", "1.5"]
    assert table.count("many") == 12


def test_sentences_are_as_wide_as_tables_and_lose_no_word():
    said = "plain-mlp: " + "cross-entropy " * 30
    lines = filled(said, indent=4).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all(line.startswith("    cross-") for line in lines[1:])
    assert " ".join(lines).split() == said.split()


def test_a_claim_that_holds_in_some_runs_is_held_in_part():
    sides = [on_one_side(held) for held in ([True], [False, False], [False, True])]
    assert [in_short(side, "so").rpartition(",")[2] for side in sides] == [
        " for the claim: so",
        " against the claim: so",
        " for the claim in part: so",
    ]


def test_a_wide_table_without_rows_is_its_heads():
    table = aligned([f"a long head of column {i}" for i in range(6)], [])
    assert max(map(len, table.splitlines())) <= WIDTH
    assert sorted(re.findall(r"\d", table)) == list("012345")
