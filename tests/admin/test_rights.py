"""Who may enter admin, what a supervisor may do there, and what he can never give himself."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.urls import reverse

from conversations.models import Conversation
from tests import make

pytestmark = pytest.mark.django_db

EVERYTHING = ("add", "change", "delete", "view")
EXPECTED = {
    *(f"agents.{verb}_agent" for verb in ("add", "change", "view")),
    *(f"agents.{verb}_idlereason" for verb in EVERYTHING),
    "agents.view_agentstatechange",
    *(
        f"queues.{verb}_{model}"
        for model in ("queue", "queuemembership", "openinghours", "holiday", "closingreason")
        for verb in EVERYTHING
    ),
    "conversations.view_conversation",
    "conversations.supervise_conversation",
    *(
        f"conversations.{verb}_{model}"
        for model in ("filetype", "replytemplate", "restrictedword")
        for verb in EVERYTHING
    ),
}


@pytest.fixture
def vera(client):
    vera = make.supervisor("Vera")
    client.force_login(vera)
    return vera


def change_url(agent):
    return reverse("admin:agents_agent_change", args=[agent.pk])


def form_of(agent, **values):
    """What the browser sends for the page of an agent."""
    return {
        "username": agent.username,
        "first_name": agent.first_name,
        "last_name": agent.last_name,
        "email": agent.email,
        "language": agent.language,
        "capacity": agent.capacity,
        "is_active": "on",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
        **values,
    }


def test_the_group_has_exactly_what_supervisors_need():
    group = Group.objects.get(name="Supervisors")

    found = {f"{row.content_type.app_label}.{row.codename}" for row in group.permissions.select_related("content_type")}

    assert found == EXPECTED


def test_permissions_are_named_as_django_names_them():
    assert Permission.objects.get(codename="view_conversation").name == "Can view conversation"
    assert Permission.objects.filter(codename="view_conversation").count() == 1


def test_visitors_are_sent_to_the_sign_in_of_the_portal(client):
    response = client.get(reverse("admin:index"), follow=False)
    door = client.get(response.url)

    assert response.status_code == door.status_code == 302
    assert door.url.startswith(f"{reverse('agents:sign-in')}?next=")


def test_the_door_leads_to_no_other_site(client):
    door = client.get(reverse("admin:login"), {"next": "https://evil.example/"})

    assert "evil" not in door.url


def test_agents_without_staff_rights_cannot_enter(client):
    client.force_login(make.agent("Lucía"))

    inside = client.get(reverse("admin:index"))
    door = client.get(inside.url)

    assert inside.status_code == 302
    assert door.status_code == 403


def test_a_supervisor_sees_his_lists_and_no_others(client, vera):
    response = client.get(reverse("admin:index"))

    models = [model["object_name"] for app in response.context["app_list"] for model in app["models"]]
    texts_and_files = ["ReplyTemplate", "RestrictedWord", "FileType"]
    assert [model for model in models if model not in texts_and_files] == [
        "Conversation",
        "Queue",
        "ClosingReason",
        "Agent",
        "IdleReason",
        "AgentStateChange",
    ]
    assert set(texts_and_files) <= set(models)


def test_staff_without_the_group_see_no_numbers(client):
    make.waiting_conversation()
    client.force_login(make.agent("Guest", is_staff=True))

    response = client.get(reverse("admin:index"))

    assert "floor" not in response.context


def test_a_supervisor_cannot_open_groups(client, vera):
    assert client.get(reverse("admin:auth_group_changelist")).status_code == 403


@pytest.mark.parametrize("whom", ["himself", "a colleague"])
def test_forged_rights_change_nothing(client, vera, whom):
    agent = vera if whom == "himself" else make.agent("Lucía")
    rights = Permission.objects.values_list("pk", flat=True)
    other = Group.objects.create(name="Owners")
    staff, groups = agent.is_staff, set(agent.groups.values_list("pk", flat=True))

    response = client.post(
        change_url(agent),
        form_of(
            agent,
            capacity=7,
            is_superuser="on",
            is_staff="on",
            user_permissions=list(rights),
            groups=[other.pk],
            state="available",
            session_epoch=9,
        ),
    )

    agent.refresh_from_db()
    assert response.status_code == 302
    assert agent.capacity == 7
    assert (agent.is_superuser, agent.is_staff, agent.session_epoch) == (False, staff, 0)
    assert set(agent.groups.values_list("pk", flat=True)) == groups
    assert not agent.user_permissions.exists()


def test_a_new_agent_is_never_staff(client, vera):
    response = client.post(
        reverse("admin:agents_agent_add"),
        {
            "username": "sofia",
            "usable_password": "true",
            "password1": "a long enough word",
            "password2": "a long enough word",
            "first_name": "Sofía",
            "language": "es",
            "capacity": 3,
            "is_staff": "on",
            "is_superuser": "on",
            "memberships-TOTAL_FORMS": 0,
            "memberships-INITIAL_FORMS": 0,
        },
    )

    sofia = type(vera).objects.get(username="sofia")
    assert response.status_code == 302
    assert (sofia.is_staff, sofia.is_superuser, sofia.capacity) == (False, False, 3)
    assert sofia.check_password("a long enough word")


def test_a_superuser_is_read_only_for_supervisors(client, vera):
    root = make.superuser()

    page = client.get(change_url(root))
    response = client.post(change_url(root), form_of(root, capacity=1))

    root.refresh_from_db()
    assert page.status_code == 200
    assert response.status_code == 403
    assert root.capacity == 5


def test_the_password_of_a_superuser_stays_his(client, vera):
    root = make.superuser(password="root's own word")

    response = client.post(
        reverse("admin:auth_user_password_change", args=[root.pk]),
        {"usable_password": "true", "password1": "a long enough word", "password2": "a long enough word"},
    )

    root.refresh_from_db()
    assert response.status_code == 403
    assert root.check_password("root's own word")


def test_nobody_edits_a_person_who_may_do_more_than_he(client, vera):
    owner = make.supervisor("Olga", password="olga's own word")
    owner.user_permissions.add(Permission.objects.get(codename="change_group"))

    response = client.post(
        reverse("admin:auth_user_password_change", args=[owner.pk]),
        {"usable_password": "true", "password1": "a long enough word", "password2": "a long enough word"},
    )

    owner.refresh_from_db()
    assert response.status_code == 403
    assert owner.check_password("olga's own word")


def test_a_supervisor_gives_an_agent_a_new_password_and_changes_nothing_else(client, vera):
    lucia = make.agent("Lucía")

    response = client.post(
        reverse("admin:auth_user_password_change", args=[lucia.pk]),
        {
            "usable_password": "true",
            "password1": "a long enough word",
            "password2": "a long enough word",
            "set-password": "1",
        },
    )

    lucia.refresh_from_db()
    assert response.status_code == 302
    assert lucia.check_password("a long enough word")


def test_only_superusers_appoint_supervisors(client):
    client.force_login(make.superuser())
    lucia = make.agent("Lucía")

    client.post(change_url(lucia), form_of(lucia, is_staff="on", groups=[make.supervisors().pk]))

    lucia.refresh_from_db()
    assert lucia.is_staff
    assert lucia.has_perm("conversations.supervise_conversation")


def test_agents_cannot_be_deleted(client, vera):
    lucia = make.agent("Lucía")

    response = client.post(reverse("admin:agents_agent_delete", args=[lucia.pk]), {"post": "yes"})

    assert response.status_code == 403
    assert type(lucia).objects.filter(pk=lucia.pk).exists()


def test_ones_own_new_password_leaves_the_state_alone(client, monkeypatch):
    vera = make.supervisor("Vera", password="vera's own word")
    client.force_login(vera)
    saved = []
    monkeypatch.setattr(type(vera), "save", lambda agent, **fields: saved.append(fields))

    response = client.post(
        reverse("admin:password_change"),
        {
            "old_password": "vera's own word",
            "new_password1": "a long enough word",
            "new_password2": "a long enough word",
        },
    )

    assert response.status_code == 302
    assert saved == [{"update_fields": ["password"]}]


def test_the_right_to_supervise_says_what_it_gives_where_it_was_there_before():
    make.supervisors()
    migration = import_module("conversations.migrations.0008_what_supervising_gives")
    rights = Permission.objects.filter(codename="supervise_conversation")
    assert [right.name for right in rights] == [str(Conversation._meta.permissions[0][1])]
    rights.update(name=migration.OLD)

    migration.rename(apps, connection.schema_editor())

    assert [right.name for right in rights.all()] == ["Can send back, finish and read all conversations"]
