"""Supervisors keep templates of replies and restricted words."""

from django.db import migrations

NAME = "Supervisors"
MODELS = ("replytemplate", "restrictedword")
VERBS = ("add", "change", "delete", "view")


def add_rights(apps, schema_editor):
    add_rights_in(apps, schema_editor.connection.alias)


def add_rights_in(apps, alias):
    """Permissions are made after the last migration, too late for this one: make those that it needs."""
    group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=NAME)
    group.permissions.add(*rights_in(apps, alias))


def rights_in(apps, alias):
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    found = []
    for model in MODELS:
        content_type, _ = content_types.get_or_create(app_label="conversations", model=model)
        name = apps.get_model("conversations", model)._meta.verbose_name_raw
        for verb in VERBS:
            permission, _ = permissions.get_or_create(
                content_type=content_type, codename=f"{verb}_{model}", defaults={"name": f"Can {verb} {name}"}
            )
            found.append(permission)
    return found


def remove_rights(apps, schema_editor):
    alias = schema_editor.connection.alias
    group = apps.get_model("auth", "Group").objects.using(alias).filter(name=NAME).first()
    if group is not None:
        group.permissions.remove(*rights_in(apps, alias))


class Migration(migrations.Migration):
    dependencies = [("conversations", "0003_files_texts_and_told_senders")]

    operations = [migrations.RunPython(add_rights, remove_rights)]
