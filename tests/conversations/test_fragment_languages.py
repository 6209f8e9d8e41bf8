from conversations.fragments import draw_conversation
from tests import make

LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"


def test_what_the_socket_draws_is_in_the_readers_language_throughout(db):
    talk = make.active_conversation(lead=make.agent("Sofía Ruiz"), user_agent=LINUX)
    place = talk.participants.select_related("agent", "conversation").get()

    assert "Chrome en Linux" in draw_conversation(place, "es")["customer"]
    assert "Chrome on Linux" in draw_conversation(place, "en")["customer"]
