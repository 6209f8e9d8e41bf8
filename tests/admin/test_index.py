"""The first page: what matters now, in numbers."""

import pytest
from django.urls import reverse

from agents.states import AgentState
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def vera(client):
    vera = make.supervisor("Vera")
    client.force_login(vera)
    return vera


def test_the_numbers_are_right(client):
    orders, returns = make.queue("Orders", service_level_seconds=60), make.queue("Returns")
    lucia = make.agent("Lucía", queues=[orders, returns], capacity=5)
    make.agent("Jonas", queues=[orders], capacity=3, state=AgentState.IDLE)
    make.agent("Sofía", queues=[returns], capacity=2, state=AgentState.RONA)
    make.agent("Ada", queues=[returns], capacity=4, state=AgentState.OFFLINE)
    make.agent("Left", queues=[returns], capacity=9, is_active=False)
    make.agent("A supervisor at the desk", capacity=9)
    make.waiting_conversation(queue=orders, waited_seconds=125)
    make.waiting_conversation(queue=orders)
    make.waiting_conversation(queue=returns)
    make.active_conversation(lead=lucia, queue=orders)
    make.wrap_up_conversation(lead=lucia, queue=orders)
    make.closed_conversation(lead=lucia, queue=orders)

    floor = client.get(reverse("admin:index")).context["floor"]

    assert (floor["waiting"], floor["active"], floor["wrap_up"], floor["places"]) == (3, 1, 1, 10)
    assert floor["longest"].startswith("2:0")
    assert floor["is_late"]
    assert {row["state"]: row["count"] for row in floor["states"]} == {
        "available": 1,
        "idle": 1,
        "rona": 1,
        "offline": 1,
    }
    rows = {row["name"]: row for row in floor["queues"]}
    assert (rows["Orders"]["waiting"], rows["Orders"]["available"], rows["Orders"]["active"]) == (2, 1, 1)
    assert (rows["Returns"]["waiting"], rows["Returns"]["available"], rows["Returns"]["is_late"]) == (1, 1, False)


def test_an_empty_portal_has_a_first_page_too(client):
    response = client.get(reverse("admin:index"))

    assert response.context["floor"]["waiting"] == 0
    assert "nobody waits" in response.content.decode()
    assert "There is no queue yet" in response.content.decode()


@pytest.mark.parametrize("rows", [2, 20])
def test_the_first_page_asks_as_often_for_much_as_for_little(client, django_assert_num_queries, rows):
    for number in range(rows):
        queue = make.queue(f"Queue {number}")
        make.waiting_conversation(queue=queue)
        make.active_conversation(queue=queue)

    with django_assert_num_queries(8):
        client.get(reverse("admin:index"))


@pytest.mark.parametrize("rows", [2, 20])
def test_the_lists_of_queues_and_reasons_ask_as_often_for_many_as_for_few(client, django_assert_num_queries, rows):
    for number in range(rows):
        queue = make.queue(f"Queue {number}", members=[make.agent("Lucía"), make.agent("Jonas")])
        make.opening_hours(queue)
        make.closing_reason(queue)
        make.waiting_conversation(queue=queue)
        make.idle_reason(f"Reason {number}")

    with django_assert_num_queries(9):
        queues = client.get(reverse("admin:queues_queue_changelist"))
    with django_assert_num_queries(7):
        client.get(reverse("admin:queues_closingreason_changelist"))
    with django_assert_num_queries(6):
        client.get(reverse("admin:agents_idlereason_changelist"))

    assert ">2 / 2<" in queues.content.decode()


def test_the_page_links_to_the_desk_and_signs_out_by_post(client):
    page = client.get(reverse("admin:index")).content.decode()

    assert f'<a href="{reverse("desk:home")}">Desk</a>' in page
    assert f'method="post" action="{reverse("desk:sign-out")}"' in page


def test_the_pages_hold_no_inline_style_or_script(client, vera):
    orders = make.queue("Orders")
    make.closing_reason(orders, is_default=True)
    conversation = make.active_conversation(queue=orders)
    addresses = [
        reverse("admin:index"),
        reverse("admin:queues_queue_change", args=[orders.pk]),
        reverse("admin:agents_agent_changelist"),
        reverse("admin:conversations_conversation_change", args=[conversation.pk]),
    ]

    for address in addresses:
        page = client.get(address).content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
        assert " onclick=" not in page


def test_a_supervisor_reads_his_own_language(client, vera):
    type(vera).objects.filter(pk=vera.pk).update(language="es")

    page = client.get(reverse("admin:index")).content.decode()

    assert '<html lang="es"' in page


@pytest.mark.parametrize("name", ["agents_agent", "queues_queue", "queues_closingreason", "agents_idlereason"])
@pytest.mark.parametrize("direction", ["", "-"])
def test_every_column_sorts(client, name, direction):
    orders = make.queue("Orders", members=[make.agent("Lucía"), make.agent("Jonas")])
    make.closing_reason(orders)
    make.idle_reason()

    for column in range(1, 8):
        response = client.get(reverse(f"admin:{name}_changelist"), {"o": f"{direction}{column}"})

        assert response.status_code == 200
        assert len(response.context["cl"].result_list) > 0


@pytest.mark.parametrize(
    ("model", "field", "term"), [("queuemembership", "agent", "Luc"), ("queue", "overflow_queue", "Ord")]
)
def test_agents_and_queues_are_found_while_typing(client, model, field, term):
    make.queue("Orders", members=[make.agent("Lucía")])

    response = client.get(
        reverse("admin:autocomplete"), {"app_label": "queues", "model_name": model, "field_name": field, "term": term}
    )

    assert [row["text"] for row in response.json()["results"]] in (["Lucía"], ["Orders"])
