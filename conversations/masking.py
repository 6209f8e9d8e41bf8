"""What must not be stored or shown as it was written: card numbers, and the words that supervisors keep in a list."""

import re

from conversations.models import RestrictedWord

SHORTEST_CARD, LONGEST_CARD = 13, 19
SHOWN_DIGITS = 4

# Groups of digits with at most three blanks or dashes between them.
RUN = re.compile(r"\d+(?:[\s\u2010-\u2015.-]{1,3}\d+)*")
GROUP = re.compile(r"\d+")


def mask_cards(text: str) -> str:
    """The text with all but the last four digits of every card number (Luhn-valid, 13 to 19 digits) masked."""
    return RUN.sub(lambda run: _mask_run(run.group()), text)


def _mask_run(run: str) -> str:
    groups = list(GROUP.finditer(run))
    masked, done, first = [], 0, 0
    while first < len(groups):
        last = _card_end(run, groups, first)
        if last is None:
            first += 1
            continue
        digits = "".join(group.group() for group in groups[first : last + 1])
        masked += [run[done : groups[first].start()], "•••• ", digits[-SHOWN_DIGITS:]]
        done, first = groups[last].end(), last + 1
    return "".join([*masked, run[done:]])


def _card_end(run: str, groups: list[re.Match[str]], first: int) -> int | None:
    """The last of the groups that make a card number from this one on; None when none do."""
    digits = ""
    for place in range(first, len(groups)):
        digits += groups[place].group()
        if len(digits) > LONGEST_CARD:
            return None
        if len(digits) >= SHORTEST_CARD and is_luhn_valid(digits):
            return place
    return None


def is_luhn_valid(digits: str) -> bool:
    """ISO/IEC 7812-1: the check digit fits; one digit repeated is no card."""
    numbers = [int(digit) for digit in digits]
    doubled = [sum(divmod(2 * number, 10)) for number in numbers[-2::-2]]
    return len(set(numbers)) > 1 and (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


class RestrictedWords:
    """
    The list of restricted words, kept in this process.

    Read when it is first asked for and with each heartbeat of the server, so that no message costs a query for it.
    """

    def __init__(self) -> None:
        self._pattern: re.Pattern[str] | None = None
        self._is_read = False

    def found_in(self, text: str) -> str | None:
        """The first restricted word of the text, as it is written there."""
        pattern = self._current()
        found = pattern.search(text) if pattern else None
        return found.group() if found else None

    def mask(self, text: str) -> str:
        """The text with each restricted word replaced by as many asterisks."""
        pattern = self._current()
        return pattern.sub(lambda found: "*" * len(found.group()), text) if pattern else text

    def forget(self) -> None:
        """Read the list anew next time."""
        self._is_read = False

    def read(self) -> None:
        """Read the list now."""
        words = RestrictedWord.objects.filter(is_in_use=True).values_list("word", flat=True)
        parts = [r"\s+".join(map(re.escape, word.split())) for word in words if word.strip()]
        # The longest first, or a short word would hide a phrase that begins with it.
        parts.sort(key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE) if parts else None
        self._is_read = True

    def _current(self) -> re.Pattern[str] | None:
        if not self._is_read:
            self.read()
        return self._pattern


restricted = RestrictedWords()
