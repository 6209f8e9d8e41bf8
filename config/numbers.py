"""Numbers that people, pages and forged requests write."""


def whole_number(text: str | None) -> int | None:
    """The number that a text writes in plain digits; None for what no row of the database can be numbered with."""
    if text and text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return None
