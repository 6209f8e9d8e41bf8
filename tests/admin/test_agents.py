"""Agents in admin: what the list shows, and the states that a supervisor gives through the actions."""

import datetime as dt

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from agents.models import AgentStateChange
from agents.states import AgentState, ChangedBy
from config.clock import database_now
from tests import make
from tests.admin.test_rights import change_url, form_of
from tests.pages.browsing import Page

pytestmark = pytest.mark.django_db

LIST = "admin:agents_agent_changelist"


@pytest.fixture(autouse=True)
def vera(client):
    vera = make.supervisor("Vera")
    client.force_login(vera)
    return vera


def act(client, action, *agents, **values):
    data = {"action": action, "_selected_action": [agent.pk for agent in agents], **values}
    response = client.post(reverse(LIST), data)
    return response, [str(message) for message in get_messages(response.wsgi_request)]


def test_the_list_shows_state_reason_load_and_queues(client):
    orders = make.queue("Orders")
    lucia = make.agent("Lucía Marín", queues=[orders, make.queue("Returns")], capacity=4)
    make.active_conversation(lead=lucia, queue=orders)
    make.wrap_up_conversation(lead=lucia, queue=orders)
    make.offer(to=lucia)
    make.agent("Jonas", state=AgentState.IDLE, idle_reason=make.idle_reason("Lunch"))

    page = client.get(reverse(LIST)).content.decode()

    assert "3 / 4" in page
    assert "Orders, Returns" in page
    assert "Idle · Lunch · 0\xa0minutes" in page


def test_the_list_is_filtered_by_queue_and_searched_by_name(client):
    orders = make.queue("Orders")
    make.agent("Lucía Marín", queues=[orders])
    make.agent("Jonas Brandt")

    filtered = client.get(reverse(LIST), {"queues__id__exact": orders.pk}).context["cl"].result_list
    searched = client.get(reverse(LIST), {"q": "Brandt"}).context["cl"].result_list

    assert [agent.name for agent in filtered] == ["Lucía Marín"]
    assert [agent.name for agent in searched] == ["Jonas Brandt"]


@pytest.mark.parametrize("agents", [2, 20])
def test_the_list_asks_as_often_for_many_agents_as_for_few(client, django_assert_num_queries, agents):
    queues = [make.queue("Orders"), make.queue("Returns")]
    for number in range(agents):
        lucia = make.agent(f"Lucía {number}", queues=queues)
        make.active_conversation(lead=lucia)

    with django_assert_num_queries(8):
        client.get(reverse(LIST))


def test_a_supervisor_makes_agents_available(client, vera):
    lucia = make.agent("Lucía", state=AgentState.RONA)

    _response, sentences = act(client, "make_available", lucia)

    lucia.refresh_from_db()
    change = lucia.state_changes.get()
    assert lucia.state == AgentState.AVAILABLE
    assert (change.changed_by, change.by) == (ChangedBy.SUPERVISOR, vera)
    assert sentences == ["1 made Available."]


def test_a_refusal_is_a_warning_with_the_agents_name_and_the_others_go_on(client):
    lucia = make.agent("Lucía", state=AgentState.IDLE)
    jonas = make.agent("Jonas", state=AgentState.OFFLINE)

    response, sentences = act(client, "make_available", lucia, jonas)

    lucia.refresh_from_db()
    jonas.refresh_from_db()
    assert response.status_code == 302
    assert (lucia.state, jonas.state) == (AgentState.AVAILABLE, AgentState.OFFLINE)
    assert sentences[0].startswith("Jonas: This agent is signed out.")
    assert sentences[1] == "1 made Available."


def test_making_idle_asks_for_the_reason_first(client):
    lucia = make.agent("Lucía")
    lunch, gone = make.idle_reason("Lunch"), make.idle_reason("Gone", is_in_use=False)

    question, _ = act(client, "make_idle", lucia)
    wrong, _ = act(client, "make_idle", lucia, confirmed="yes", reason=gone.pk)
    lucia.refresh_from_db()
    assert lucia.state == AgentState.AVAILABLE

    act(client, "make_idle", lucia, confirmed="yes", reason=lunch.pk)

    lucia.refresh_from_db()
    assert "Lunch" in question.content.decode()
    assert "Gone" not in question.content.decode()
    assert (question.status_code, wrong.status_code) == (200, 422)
    assert (lucia.state, lucia.idle_reason) == (AgentState.IDLE, lunch)


def test_signing_out_ends_the_sessions(client):
    lucia = make.agent("Lucía")

    act(client, "sign_out", lucia)

    lucia.refresh_from_db()
    assert lucia.state == AgentState.OFFLINE
    assert lucia.session_epoch == 1


@pytest.mark.parametrize("action", ["make_available", "make_idle", "sign_out"])
def test_a_superuser_is_left_alone(client, action):
    root = make.superuser(state=AgentState.RONA)

    _response, sentences = act(client, action, root, confirmed="yes")

    root.refresh_from_db()
    assert (root.state, root.session_epoch) == (AgentState.RONA, 0)
    assert sentences == ["Root: This person may do more than you; ask an administrator."]


def test_an_agent_made_inactive_is_signed_out(client):
    lucia = make.agent("Lucía")
    form = form_of(lucia)
    del form["is_active"]

    client.post(change_url(lucia), form)

    lucia.refresh_from_db()
    assert not lucia.is_active
    assert lucia.state == AgentState.OFFLINE


def test_saving_the_page_leaves_the_state_as_it_is_now(client, monkeypatch):
    lucia = make.agent("Lucía")
    saved = {}
    monkeypatch.setattr(type(lucia), "save", lambda agent, **fields: saved.update(fields))

    client.post(change_url(lucia), form_of(lucia, capacity=3))

    assert saved["update_fields"] == {"capacity"}


def test_a_capacity_below_the_load_takes_nothing_away(client):
    lucia = make.agent("Lucía")
    make.active_conversation(lead=lucia)
    make.active_conversation(lead=lucia)

    response = client.post(change_url(lucia), form_of(lucia, capacity=1))

    sentences = [str(message) for message in get_messages(response.wsgi_request)]
    assert sentences[0] == "Lucía has 2 conversations now and keeps them; nothing new comes before."
    assert lucia.participations.filter(left_at=None).count() == 2


@pytest.mark.parametrize("capacity", ["21", "-1", "many"])
def test_a_capacity_goes_from_0_to_20(client, capacity):
    lucia = make.agent("Lucía")

    response = client.post(change_url(lucia), form_of(lucia, capacity=capacity))

    lucia.refresh_from_db()
    assert response.status_code == 200
    assert lucia.capacity == 5


def test_the_page_of_an_agent_shows_no_field_for_the_state(client):
    page = client.get(change_url(make.agent("Lucía"))).content.decode()

    assert 'name="state"' not in page
    assert "Available · 0\xa0minutes" in page


@pytest.mark.parametrize("changes", [2, 20])
def test_state_changes_are_read_with_constant_queries(client, django_assert_num_queries, changes):
    for number in range(changes):
        lucia = make.agent(f"Lucía {number}", state=AgentState.IDLE)
        act(client, "make_available", lucia)
    assert AgentStateChange.objects.count() == changes

    with django_assert_num_queries(6):
        page = client.get(reverse("admin:agents_agentstatechange_changelist"))

    assert page.context["cl"].result_count == changes


@pytest.mark.parametrize("verb", ["add", "change", "delete"])
def test_state_changes_are_never_edited(client, verb):
    lucia = make.agent("Lucía", state=AgentState.IDLE)
    act(client, "make_available", lucia)
    args = [] if verb == "add" else [lucia.state_changes.get().pk]

    response = client.post(reverse(f"admin:agents_agentstatechange_{verb}", args=args), {"post": "yes"})

    assert response.status_code == 403
    assert lucia.state_changes.count() == 1


def test_the_form_leads_to_a_new_password_and_shows_nothing_of_the_one_that_is_set(client):
    lucia = make.agent("Lucía Marín", password="correct horse battery")

    page = client.get(change_url(lucia)).content.decode()

    assert "../password/" in page
    assert "Reset password" in page
    assert "algorithm" not in page
    assert lucia.password.split("$")[0] not in page


@pytest.mark.parametrize("agents", [2, 20])
def test_the_list_of_state_changes_is_filtered_by_day_and_asks_as_often_for_many(
    client, django_assert_num_queries, agents
):
    for days in range(agents):
        at = database_now() - dt.timedelta(days=days * 10)
        AgentStateChange.objects.create(
            agent=make.agent(), from_state="idle", to_state="available", changed_by="self", at=at
        )

    with django_assert_num_queries(7):
        page = client.get(
            reverse("admin:agents_agentstatechange_changelist"), {"at__gte": database_now() - dt.timedelta(days=7)}
        )

    assert [change.at.date() for change in page.context["cl"].result_list] == [database_now().date()]


def test_the_load_leads_to_the_conversations_of_the_agent(client):
    lucia = make.agent("Lucía Marín")
    talk = make.active_conversation(lead=lucia)
    make.active_conversation(lead=make.agent("Jonas"))

    page = Page(client.get(reverse(LIST)))
    link = page.one("a", href=f"{reverse('admin:conversations_conversation_changelist')}?lead={lucia.pk}")

    assert link.text == "1 / 5"
    assert list(client.get(link["href"]).context["cl"].result_list) == [talk]
