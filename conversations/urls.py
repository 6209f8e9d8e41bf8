from django.urls import include, path

from conversations.views import chat, colleagues, compose, desk, files, history

chat_patterns = [
    path("", chat.queues, name="queues"),
    path("current/", chat.conversation, name="conversation"),
    path("current/messages/", chat.post, name="post"),
    path("current/files/", files.upload_by_visitor, name="upload"),
    path("current/files/<uuid:handle>/discard/", files.discard_by_visitor, name="discard"),
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
    path("conversations/", history.conversations, name="conversations"),
    path("my-day/", history.my_day, name="my-day"),
    path("conversations/<int:conversation_id>/", desk.conversation, name="conversation"),
    path("conversations/<int:conversation_id>/messages/", desk.post, name="post"),
    path("conversations/<int:conversation_id>/files/", files.upload_by_agent, name="upload"),
    path("conversations/<int:conversation_id>/files/<uuid:handle>/discard/", files.discard_by_agent, name="discard"),
    path("conversations/<int:conversation_id>/earlier/", desk.earlier, name="earlier"),
    path("conversations/<int:conversation_id>/end/", desk.end, name="end"),
    path("conversations/<int:conversation_id>/closing/", desk.closing_reasons, name="closing"),
    path("conversations/<int:conversation_id>/templates/", compose.templates, name="templates"),
    path("conversations/<int:conversation_id>/transcript/", desk.transcript, name="transcript"),
    path(
        "conversations/<int:conversation_id>/customer/earlier/",
        history.earlier_conversations,
        name="earlier-conversations",
    ),
    path("conversations/<int:conversation_id>/transfer/", colleagues.transfer, name="transfer"),
    path("conversations/<int:conversation_id>/conference/", colleagues.conference, name="conference"),
    path("conversations/<int:conversation_id>/conference/end/", colleagues.end_conference, name="end-conference"),
    path("conversations/<int:conversation_id>/conference/leave/", colleagues.leave_conference, name="leave-conference"),
    path("conversations/<int:conversation_id>/cancel-request/", colleagues.cancel_request, name="cancel-request"),
    path("offers/accept-all/", colleagues.accept_all, name="accept-all"),
    path("offers/<int:offer_id>/accept/", desk.accept_offer, name="accept-offer"),
    path("offers/<int:offer_id>/decline/", desk.decline_offer, name="decline-offer"),
    path("sign-out/", desk.sign_out, name="sign-out"),
]

urlpatterns = [
    path("chat/", include((chat_patterns, "chat"))),
    path("files/<uuid:handle>/", files.file, name="file"),
    path("files/<uuid:handle>/thumbnail/", files.thumbnail, name="thumbnail"),
    path("desk/", include((desk_patterns, "desk"))),
]
