"""Which fields of a form and of an address are read while a request is answered."""

from contextlib import contextmanager

import pytest
from django.utils.datastructures import MultiValueDict

LOOKS = ("__getitem__", "__contains__", "get", "getlist")
# The page of a refusal gives back what was written, wherever it was sent.
KEPT = {"text", "question"}


class Fields:
    """The names that were looked up, by where the request has them."""

    def __init__(self):
        self.looks = []

    def of(self, request):
        """What was read of this request: the fields of its address, and those of its form."""
        asked, sent = self._in(request.GET), self._in(request.POST) | self._in(request.FILES)
        return {"ask": asked, "send": sent - KEPT}

    def _in(self, values):
        return {name for where, name in self.looks if where is values}


def _noting(fields, look):
    def noted(self, name, *rest, **named):
        if not getattr(self, "_mutable", False):  # it is just being filled
            fields.looks.append((self, name))
        return look(self, name, *rest, **named)

    return noted


@contextmanager
def fields_read():
    """Whoever looks for a field, by a view's own line, a form or a helper, is noted."""
    fields = Fields()
    with pytest.MonkeyPatch.context() as patch:
        for name in LOOKS:
            patch.setattr(MultiValueDict, name, _noting(fields, getattr(MultiValueDict, name)))
        yield fields
