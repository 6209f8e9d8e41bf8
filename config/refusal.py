"""The "no" answers: a sentence for the person who asked, and the status for the machine."""

from django.utils.functional import Promise


class Refused(Exception):
    """
    An action said no and changed nothing. Its text is a sentence that says what happened and what to do.

    The sentence is lazy, so that it reads in the language of whoever shows it; `values` fill its %(names)s.
    """

    status = 409
    sentence: "str | Promise" = ""

    def __init__(
        self, sentence: "str | Promise | None" = None, *, retry_after_seconds: int | None = None, **values: object
    ) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds
        self.values = values
        if sentence is not None:
            self.sentence = sentence

    @property
    def headers(self) -> dict[str, str]:
        """What an answer that says no carries beside its sentence."""
        return {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}

    def __str__(self) -> str:
        sentence = str(self.sentence)
        return sentence % self.values if self.values else sentence


class Invalid(Refused):
    """What was sent cannot be right, now or later."""

    status = 422


class Gone(Refused):
    """Not there, or not yours: the answer is the same, so that nobody learns what exists."""

    status = 404


class TooFast(Refused):
    """Too many in too short a time; `retry_after_seconds` says when to try again."""

    status = 429
