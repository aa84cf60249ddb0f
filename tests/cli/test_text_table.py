from hypothesis import given
from hypothesis import strategies as st

from weatherml.cli.printing.text_table import blocks, paragraph

cells = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=24)
tables = st.integers(2, 6).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=4))


@given(tables, st.integers(5, 140))
def test_a_table_of_any_width_holds_every_cell_whole(rows, width):
    pieces = list(blocks(rows, width))
    for at, row in enumerate(rows):
        words = [piece[at].split() for piece in pieces]
        assert [own[0] for own in words] == [row[0]] * len(pieces)
        assert [cell for own in words for cell in own[1:]] == row[1:]


@given(tables, st.integers(5, 140))
def test_a_table_is_no_wider_than_the_terminal_where_one_column_fits(rows, width):
    for piece in blocks(rows, width):
        assert all(len(line) <= width for line in piece) or all(len(line.split()) == 2 for line in piece)


@given(st.lists(cells, max_size=12), st.integers(5, 140))
def test_a_paragraph_of_any_width_holds_every_word_whole(words, width):
    assert paragraph("name", " ".join(words), 6, width).split() == ["name", *words]
