"""A stamp draws exactly what its template draws, whatever people wrote."""

import datetime as dt

from django.template.loader import render_to_string
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import stamps
from conversations import snapshots, thread
from conversations.fragments import Task
from conversations.states import MessageKind, Party, State
from conversations.thread import Audience, Line

NOW = dt.datetime(2026, 3, 2, 9, 30, tzinfo=dt.UTC)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
words = st.text(max_size=20) | st.sampled_from(["<b>&amp;'\"", "{{ message.pk }}", "\ue000pk\ue001", "{% now %}"])
lines = st.builds(
    Line,
    pk=st.integers(1, 10**9),
    number=st.integers(1, 10**6),
    kind=st.sampled_from(MessageKind),
    sender=st.sampled_from(Party),
    key=words,
    text=words,
    html=words.map(thread.with_links),
    created_at=st.just(NOW),
    author=words,
    sentence=words,
    details=st.just({}),
    files=st.just([]),
)
tasks = st.builds(
    Task,
    conversation_id=st.integers(1, 10**9),
    customer=words,
    queue=words,
    state=st.sampled_from([State.ACTIVE, State.WRAP_UP]),
    line=words,
    line_by=st.sampled_from(Party),
    since=st.just(NOW),
    unread=st.integers(0, 200),
    deadline=st.none() | st.just(NOW),
    is_visitor_here=st.booleans(),
    role=st.just("lead"),
    is_open=st.booleans(),
)


def drawn(template, name, thing, language):
    with translation.override(language):
        return render_to_string(template, {name: thing, "oob": True})


@unhurried
@given(line=lines, audience=st.sampled_from(Audience), language=st.sampled_from(["en", "es"]))
def test_a_stamped_line_is_what_its_template_draws(line, audience, language):
    template = thread.TEMPLATES[audience]

    stamped = stamps.stamp(template, "message", line, thread.LOOKED_AT, thread.PRINTED, language)

    assert stamped == drawn(template, "message", line, language)


@unhurried
@given(task=tasks, language=st.sampled_from(["en", "es"]))
def test_a_stamped_task_is_what_its_template_draws(task, language):
    stamped = snapshots.draw_task(task, task.is_open, language)

    assert stamped == drawn("desk/_task.html", "task", task, language)
