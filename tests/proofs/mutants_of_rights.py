"""What breaks the rights in the test's own process, and how it is put in the place of what is right."""

from django.template import engines


def nothing_is_escaped():
    """For a server of its own: whatever stands in a template is markup."""
    engines["django"].engine.autoescape = False


def any_place_of(agent, conversation_id):
    found = Participant.objects.select_related("conversation__queue").filter(  # noqa: F821
        conversation=conversation_id, left_at=None
    )
    if not found:
        raise Gone  # noqa: F821
    return found[0]


def everything_visible(audience, messages):
    return messages


def known_by_key_alone(drafts):
    drafts = list(drafts)
    found = {message.key: message for message in Message.objects.filter(key__in={draft.key for draft in drafts})}  # noqa: F821
    return {draft.identity: found[draft.key] for draft in drafts if draft.key in found}


def owned_by_nobody(sender):
    return Attachment.objects.all()  # noqa: F821


def always(*whatever):
    return True


def broken(monkeypatch, function, by):
    """Everybody who imported the function gets the broken one."""
    monkeypatch.setattr(function, "__code__", by.__code__)
