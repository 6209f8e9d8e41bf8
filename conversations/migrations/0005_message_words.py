from django.db import migrations

# The expression is that of conversations.search.AreSpoken, to the letter.
CREATE = """
CREATE INDEX message_words ON conversations_message
USING GIN (TO_TSVECTOR('simple', COALESCE(details ->> 'for_agents', text)))
"""


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS message_words")


class Migration(migrations.Migration):
    """Search for words in messages as agents see them; SQLite searches without an index."""

    dependencies = [("conversations", "0004_supervisors_keep_texts")]

    operations = [migrations.RunPython(create, drop, elidable=False)]
