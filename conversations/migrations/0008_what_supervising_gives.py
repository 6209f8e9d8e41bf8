"""The right to supervise says what it gives; Django does not rename a permission that is there."""

from django.db import migrations

OLD, NEW = "Can step into conversations", "Can send back, finish and read all conversations"


def rename(apps, schema_editor):
    name_right(apps, schema_editor.connection.alias, NEW)


def rename_back(apps, schema_editor):
    name_right(apps, schema_editor.connection.alias, OLD)


def name_right(apps, alias, name):
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    right = {"content_type__app_label": "conversations", "codename": "supervise_conversation"}
    permissions.filter(**right).update(name=name)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0007_indexes_that_sqlite_takes")]

    operations = [
        migrations.AlterModelOptions(
            name="conversation",
            options={
                "ordering": ["-pk"],
                "permissions": [("supervise_conversation", NEW)],
                "verbose_name": "conversation",
                "verbose_name_plural": "conversations",
            },
        ),
        migrations.RunPython(rename, rename_back),
    ]
