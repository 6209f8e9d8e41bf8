"""The file types that may be sent at first, and what the group Supervisors needs to keep them."""

from django.db import migrations

EXTENSIONS = "jpg jpeg gif png webp pdf txt csv doc docx xls xlsx ppt pptx mp3 wav mp4".split()
NAME = "Supervisors"
VERBS = ("add", "change", "delete", "view")


def keep_types(apps, schema_editor):
    keep_types_in(apps, schema_editor.connection.alias)


def keep_types_in(apps, alias):
    types = apps.get_model("conversations", "FileType").objects.using(alias)
    for extension in EXTENSIONS:
        types.get_or_create(extension=extension)
    give_permissions(apps, alias)


def give_permissions(apps, alias):
    group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=NAME)
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    content_type, _ = content_types.get_or_create(app_label="conversations", model="filetype")
    for verb in VERBS:
        permission, _ = permissions.get_or_create(
            content_type=content_type,
            codename=f"{verb}_filetype",
            defaults={"name": f"Can {verb} file type"},
        )
        group.permissions.add(permission)


def remove_types(apps, schema_editor):
    alias = schema_editor.connection.alias
    apps.get_model("conversations", "FileType").objects.using(alias).filter(extension__in=EXTENSIONS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("conversations", "0005_message_words"),
    ]

    operations = [migrations.RunPython(keep_types, remove_types)]
