"""The group Supervisors, with what its members need in admin and nothing else."""

from django.db import migrations

NAME = "Supervisors"
EVERYTHING = ("add", "change", "delete", "view")
# An agent with a history is made inactive, never deleted. Conversations are read; to supervise them means the
# repairs that admin offers (send back, finish), all of them actions.
PERMISSIONS = {
    "agents": {
        "agent": ("add", "change", "view"),
        "idlereason": EVERYTHING,
        "agentstatechange": ("view",),
    },
    "queues": {
        "queue": EVERYTHING,
        "queuemembership": EVERYTHING,
        "openinghours": EVERYTHING,
        "holiday": EVERYTHING,
        "closingreason": EVERYTHING,
    },
    "conversations": {
        "conversation": ("supervise", "view"),
    },
}


def make_group(apps, schema_editor):
    make_group_in(apps, schema_editor.connection.alias)


def make_group_in(apps, alias):
    """Permissions are made after the last migration, too late for this one: make those that it needs."""
    group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=NAME)
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    wanted = []
    for app, models in PERMISSIONS.items():
        for model, verbs in models.items():
            content_type, _ = content_types.get_or_create(app_label=app, model=model)
            options = apps.get_model(app, model)._meta
            named = dict(options.permissions)
            for verb in verbs:
                codename = f"{verb}_{model}"
                permission, _ = permissions.get_or_create(
                    content_type=content_type,
                    codename=codename,
                    defaults={"name": named.get(codename, f"Can {verb} {options.verbose_name_raw}")},
                )
                wanted.append(permission)
    group.permissions.set(wanted)


def remove_group(apps, schema_editor):
    alias = schema_editor.connection.alias
    apps.get_model("auth", "Group").objects.using(alias).filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("agents", "0001_initial"),
        ("queues", "0001_initial"),
        ("conversations", "0001_initial"),
    ]

    operations = [migrations.RunPython(make_group, remove_group)]
