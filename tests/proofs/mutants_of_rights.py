"""What breaks the rights in the test's own process, and how it is put in the place of what is right."""


def any_place_of(agent, conversation_id):
    found = Participant.objects.select_related("conversation__queue").filter(  # noqa: F821
        conversation=conversation_id, left_at=None
    )
    if not found:
        raise Gone  # noqa: F821
    return found[0]


def everything_visible(audience, messages):
    return messages


def always(*whatever):
    return True


def broken(monkeypatch, function, by):
    """Everybody who imported the function gets the broken one."""
    monkeypatch.setattr(function, "__code__", by.__code__)
