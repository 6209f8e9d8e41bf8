"""What admin refuses about a queue, and what is retired instead of deleted."""

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from agents.models import IdleReason
from agents.states import AgentState, ChangedBy
from config.clock import database_now
from queues.models import ClosingReason, Queue
from tests import make

pytestmark = pytest.mark.django_db

PREFIXES = ("memberships", "opening_hours", "holidays", "closing_reasons")


@pytest.fixture(autouse=True)
def vera(client):
    vera = make.supervisor("Vera")
    client.force_login(vera)
    return vera


@pytest.fixture
def orders():
    orders = make.queue("Orders")
    make.closing_reason(orders, "Resolved", order=1, is_default=True)
    make.closing_reason(orders, "Spam", order=2)
    return orders


def form_of(queue=None, *, rows=None, **values):
    """What the browser sends for the page of a queue, with the rows of its inlines by prefix."""
    fields = {
        "name": "Orders",
        "slug": "orders",
        "is_in_use": "on",
        "priority": 5,
        "service_level_seconds": 30,
        "service_level_percent": 80,
        "offer_timeout_seconds": 30,
        "widening_seconds": 0,
        "wrap_up_limit_seconds": 120,
        "waiting_grace_seconds": 60,
        "visitor_gone_seconds": 300,
        "inactivity_limit_seconds": 0,
        "time_zone": "Europe/Madrid",
        "overflow_after_seconds": 0,
    }
    rows = {
        "closing_reasons": reasons_of(queue) if queue else [{"label": "Resolved", "order": 0, **ON}],
        **(rows or {}),
    }
    for prefix in PREFIXES:
        entries = rows.get(prefix, [])
        fields[f"{prefix}-TOTAL_FORMS"] = len(entries)
        fields[f"{prefix}-INITIAL_FORMS"] = sum("id" in entry for entry in entries)
        for number, entry in enumerate(entries):
            fields |= {f"{prefix}-{number}-{name}": value for name, value in entry.items()}
    return {**fields, **values}


ON = {"is_in_use": "on", "is_default": "on"}


def reasons_of(queue):
    rows = []
    for reason in queue.closing_reasons.order_by("order"):
        row = {"id": reason.pk, "queue": queue.pk, "label": reason.label, "order": reason.order}
        row |= {name: "on" for name in ("is_in_use", "is_default") if getattr(reason, name)}
        rows.append(row)
    return rows


def change_url(queue):
    return reverse("admin:queues_queue_change", args=[queue.pk])


def sentences(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_a_queue_with_all_its_parts_is_made_on_one_page(client):
    lucia = make.agent("Lucía")

    response = client.post(
        reverse("admin:queues_queue_add"),
        form_of(
            holiday_country="es-md",
            rows={
                "memberships": [{"agent": lucia.pk, "rank": 2}],
                "opening_hours": [
                    {"weekday": 0, "opens_at": "09:00", "closes_at": "13:00"},
                    {"weekday": 0, "opens_at": "13:00", "closes_at": "00:00"},
                ],
                "holidays": [{"date": "2026-12-24", "name": "Christmas Eve"}],
            },
        ),
    )

    orders = Queue.objects.get(slug="orders")
    assert response.status_code == 302
    assert orders.holiday_country == "ES-MD"
    assert orders.memberships.get().rank == 2
    assert orders.opening_hours.count() == 2
    assert orders.closing_reasons.get().is_default


def member_row(membership, **values):
    return {"id": membership.pk, "queue": membership.queue_id, "agent": membership.agent_id, "rank": 1} | values


def test_when_a_member_is_taken_out_of_a_queue_is_noted(client, orders):
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    stays, goes = make.member(orders, lucia), make.member(orders, jonas)

    for row, is_noted in [(member_row(goes, rank=3), False), (member_row(goes, DELETE="on"), True)]:
        rows = {"memberships": [member_row(stays), row]}
        assert client.post(change_url(orders), form_of(orders, rows=rows)).status_code == 302
        assert (Queue.objects.get().member_left_at is not None) == is_noted
    assert make.ago(10) < Queue.objects.get().member_left_at < database_now()


def test_when_a_member_gives_his_place_to_another_is_noted(client, orders):
    place = make.member(orders, make.agent("Lucía"))
    rows = {"memberships": [member_row(place, agent=make.agent("Jonas").pk)]}

    assert client.post(change_url(orders), form_of(orders, rows=rows)).status_code == 302

    assert Queue.objects.get().member_left_at is not None


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_when_an_agent_is_taken_out_of_a_queue_on_his_own_page_is_noted(client, orders, how):
    lucia, returns = make.agent("Lucía"), make.queue("Returns")
    row = member_row(make.member(orders, lucia)) | ({"DELETE": "on"} if how == "deleted" else {"queue": returns.pk})
    fields = {"username": "lucia", "first_name": "Lucía", "capacity": 5, "language": "en", "is_active": "on"}
    fields |= {"memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 1}
    fields |= {f"memberships-0-{name}": value for name, value in row.items()}

    assert client.post(reverse("admin:agents_agent_change", args=[lucia.pk]), fields).status_code == 302

    noted = Queue.objects.exclude(member_left_at=None)
    assert [queue.name for queue in noted] == ["Orders"]


@pytest.mark.parametrize(
    "spans",
    [
        [("09:00", "13:00"), ("12:59", "15:00")],
        [("09:00", "00:00"), ("20:00", "21:00")],
        [("09:00", "13:00"), ("09:00", "13:00")],
    ],
)
def test_opening_hours_of_one_day_must_not_overlap(client, spans):
    hours = [{"weekday": 2, "opens_at": opens, "closes_at": closes} for opens, closes in spans]

    response = client.post(reverse("admin:queues_queue_add"), form_of(rows={"opening_hours": hours}))

    assert "The opening hours of Wednesday overlap" in response.content.decode()
    assert not Queue.objects.exists()


def test_closing_before_opening_is_refused(client):
    hours = [{"weekday": 2, "opens_at": "13:00", "closes_at": "09:00"}]

    response = client.post(reverse("admin:queues_queue_add"), form_of(rows={"opening_hours": hours}))

    assert "Closing comes after opening" in response.content.decode()


def test_overflow_must_not_lead_back(client, orders):
    last = make.queue("Last", overflow_queue=orders)
    middle = make.queue("Middle", overflow_queue=last)

    response = client.post(change_url(orders), form_of(orders, overflow_queue=middle.pk, overflow_after_seconds=60))

    orders.refresh_from_db()
    assert "would come back here" in response.content.decode()
    assert orders.overflow_queue is None


def test_overflow_after_a_time_needs_a_queue(client, orders):
    response = client.post(change_url(orders), form_of(orders, overflow_after_seconds=60))

    assert "Choose where conversations go" in response.content.decode()


@pytest.mark.parametrize("code", ["XX", "ES-ZZ", "Spain", "ES-", "12"])
def test_unknown_public_holidays_are_refused(client, orders, code):
    response = client.post(change_url(orders), form_of(orders, holiday_country=code))

    assert "No public holidays are known" in response.content.decode()


@pytest.mark.parametrize(
    ("reasons", "sentence"),
    [
        ([], "A queue needs at least one closing reason in use."),
        ([{"label": "Resolved", "order": 0}], "A queue needs at least one closing reason in use."),
        ([{"label": "Resolved", "order": 0, "is_in_use": "on"}], "Mark exactly one closing reason as the default."),
        ([{"label": "A", "order": 0, **ON}, {"label": "B", "order": 0, **ON}], "Mark exactly one closing reason"),
        ([{"label": "A", "order": 0, **ON}, {"label": "a", "order": 1}], "Two closing reasons have the same label."),
        (
            [{"label": "A", "order": 0, "is_default": "on"}, {"label": "B", "order": 1, "is_in_use": "on"}],
            "The default closing reason must be in use.",
        ),
    ],
)
def test_a_queue_always_has_a_default_closing_reason(client, reasons, sentence):
    response = client.post(reverse("admin:queues_queue_add"), form_of(rows={"closing_reasons": reasons}))

    assert sentence in response.content.decode()
    assert not Queue.objects.exists()


@pytest.mark.parametrize("from_first", [True, False])
def test_the_default_moves_to_another_reason_in_one_save(client, orders, from_first):
    orders.closing_reasons.filter(label="Resolved").update(order=1 if from_first else 3)
    rows = reasons_of(orders)
    for row in rows:
        row.pop("is_default", None)
        if row["label"] == "Spam":
            row["is_default"] = "on"

    response = client.post(change_url(orders), form_of(orders, rows={"closing_reasons": rows}))

    assert response.status_code == 302
    assert orders.closing_reasons.get(is_default=True).label == "Spam"


def test_an_unused_closing_reason_can_be_deleted_and_a_used_one_cannot(client, orders):
    make.closed_conversation(reason=orders.closing_reasons.get(label="Spam"))
    make.closing_reason(orders, "Never used", order=3)
    used, unused = reasons_of(orders), reasons_of(orders)
    used[1]["DELETE"] = unused[2]["DELETE"] = "on"

    refused = client.post(change_url(orders), form_of(orders, rows={"closing_reasons": used}))
    done = client.post(change_url(orders), form_of(orders, rows={"closing_reasons": unused}))

    assert "“Spam” is part of the history" in refused.content.decode()
    assert done.status_code == 302
    assert set(orders.closing_reasons.values_list("label", flat=True)) == {"Resolved", "Spam"}


@pytest.mark.parametrize("way", ["page", "list"])
def test_a_queue_with_conversations_is_not_deleted(client, orders, way):
    make.waiting_conversation(queue=orders)

    response = delete(client, orders, way)

    assert "cannot be deleted. Retire it instead" in " ".join(sentences(response))
    assert Queue.objects.filter(pk=orders.pk).exists()


@pytest.mark.parametrize("way", ["page", "list"])
def test_a_queue_without_conversations_can_be_deleted(client, orders, way):
    delete(client, orders, way)

    assert not Queue.objects.exists()


@pytest.mark.parametrize("way", ["page", "list"])
def test_a_closing_reason_of_the_history_is_not_deleted(client, orders, way):
    spam = orders.closing_reasons.get(label="Spam")
    make.closed_conversation(reason=spam)

    response = delete(client, spam, way)

    assert "cannot be deleted. Retire it instead" in " ".join(sentences(response))
    assert ClosingReason.objects.filter(pk=spam.pk).exists()


@pytest.mark.parametrize("way", ["page", "list"])
@pytest.mark.parametrize("where", ["now", "in the history"])
def test_an_idle_reason_of_the_history_is_not_deleted(client, way, where):
    lunch = make.idle_reason("Lunch")
    lucia = make.agent("Lucía", state=AgentState.IDLE, idle_reason=lunch if where == "now" else None)
    if where == "in the history":
        lucia.state_changes.create(
            from_state=AgentState.AVAILABLE,
            to_state=AgentState.IDLE,
            reason=lunch,
            changed_by=ChangedBy.SELF,
            at=database_now(),
        )

    response = delete(client, lunch, way)

    assert "“Lunch” is part of the history" in " ".join(sentences(response))
    assert IdleReason.objects.filter(pk=lunch.pk).exists()


def test_retiring_takes_out_of_use_and_keeps_the_default(client, orders):
    resolved, spam = orders.closing_reasons.order_by("order")

    response = client.post(
        reverse("admin:queues_closingreason_changelist"),
        {"action": "retire", "_selected_action": [resolved.pk, spam.pk]},
    )

    resolved.refresh_from_db()
    spam.refresh_from_db()
    assert (resolved.is_in_use, spam.is_in_use) == (True, False)
    assert sentences(response) == [
        "Resolved: “Resolved” is the default of Orders; choose another default there first.",
        "1 retired.",
    ]


@pytest.mark.parametrize("what", ["queue", "idle reason"])
def test_queues_and_idle_reasons_are_retired_by_an_action(client, orders, what):
    row = orders if what == "queue" else make.idle_reason()

    client.post(list_url(row), {"action": "retire", "_selected_action": row.pk})

    row.refresh_from_db()
    assert not row.is_in_use


def test_the_default_is_not_taken_out_of_use_on_its_own_page(client, orders):
    resolved = orders.closing_reasons.get(label="Resolved")

    response = client.post(
        reverse("admin:queues_closingreason_change", args=[resolved.pk]), {"label": "Resolved", "order": 1}
    )

    resolved.refresh_from_db()
    assert "is the default of Orders" in response.content.decode()
    assert resolved.is_in_use


def test_a_label_stands_once_in_a_queue(client, orders):
    spam = orders.closing_reasons.get(label="Spam")

    response = client.post(
        reverse("admin:queues_closingreason_change", args=[spam.pk]), {"label": "resolved", "order": 1}
    )

    assert "has a closing reason of that label already" in response.content.decode()


def list_url(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")


def delete(client, row, way):
    if way == "list":
        data = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
        return client.post(list_url(row), data)
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_delete", args=[row.pk])
    return client.post(url, {"post": "yes"})
