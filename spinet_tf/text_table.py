"""Tables of plain text."""

LINE = 100
"""Characters of a line."""


def align(title, rows, headings):
    """A title and rows of text, the first column flush left and the others right.

    Args:
        title: str.
        rows: list of rows of str, all as long.
        headings: int, how many first columns are repeated where the others do not fit
            in a line.

    Returns:
        str of several lines.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    columns = [
        [cell.ljust(width) if k == 0 else cell.rjust(width) for cell in column]
        for k, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    heads, methods = columns[:headings], columns[headings:]
    room = LINE - 1 - sum(len(column[0]) + 2 for column in heads)
    parts, left = [], 0
    for column in methods:
        width = len(column[0]) + 2
        if left < width:
            parts.append(list(heads))
            left = room
        parts[-1].append(column)
        left -= width
    blocks = (
        "\n".join(f" {'  '.join(row)}" for row in zip(*part, strict=True))
        for part in parts
    )
    return f"{title}\n" + "\n\n".join(blocks)
