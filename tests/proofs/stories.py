"""All stories, of each change at least one."""

from tests.proofs import stories_of_messages, stories_of_people, stories_of_talks

STORIES = [*stories_of_talks.STORIES, *stories_of_people.STORIES, *stories_of_messages.STORIES]
