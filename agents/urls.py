from django.urls import path

from agents import views

app_name = "agents"
urlpatterns = [
    path("sign-in/", views.SignInView.as_view(), name="sign-in"),
    path("language/", views.language, name="language"),
    path("sounds/", views.sounds, name="sounds"),
    path("password/", views.password, name="password"),
]
