from sampan.cli.output.table import align


def test_columns_are_at_least_ten_wide_and_three_apart() -> None:
    assert align(["A\tBB\tC", "long enough here\tx\ty"]) == (
        "A                  BB        C\nlong enough here   x         y\n"
    )


def test_the_last_cell_is_not_padded_and_widens_nothing() -> None:
    assert align(["A\tvery long last cell indeed", "b\tx"]) == "A         very long last cell indeed\nb         x\n"


def test_a_column_ends_where_a_line_has_no_cell_in_it() -> None:
    assert align(["wide wide wide\tx", "plain", "a\tb"]) == "wide wide wide   x\nplain\na         b\n"


def test_no_lines_make_no_table() -> None:
    assert align([]) == ""
