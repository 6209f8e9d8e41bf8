from django.urls import include, path

from conversations.views import chat, desk

chat_patterns = [
    path("", chat.queues, name="queues"),
    path("current/", chat.conversation, name="conversation"),
    path("current/messages/", chat.post, name="post"),
    path("current/end/", chat.end, name="end"),
    path("current/poll/", chat.poll, name="poll"),
    path("current/thread/", chat.thread, name="thread"),
    path("current/earlier/", chat.earlier, name="earlier"),
    path("<str:slug>/", chat.start, name="start"),
]
desk_patterns = [
    path("", desk.home, name="home"),
    path("poll/", desk.poll, name="poll"),
    path("state/", desk.change_state, name="state"),
    path("conversations/<int:conversation_id>/", desk.conversation, name="conversation"),
    path("conversations/<int:conversation_id>/messages/", desk.post, name="post"),
    path("conversations/<int:conversation_id>/earlier/", desk.earlier, name="earlier"),
    path("conversations/<int:conversation_id>/end/", desk.end, name="end"),
    path("conversations/<int:conversation_id>/closing/", desk.closing_reasons, name="closing"),
    path("conversations/<int:conversation_id>/transcript/", desk.transcript, name="transcript"),
    path("offers/<int:offer_id>/accept/", desk.accept_offer, name="accept-offer"),
    path("offers/<int:offer_id>/decline/", desk.decline_offer, name="decline-offer"),
    path("sign-out/", desk.sign_out, name="sign-out"),
]

urlpatterns = [
    path("chat/", include((chat_patterns, "chat"))),
    path("desk/", include((desk_patterns, "desk"))),
]
