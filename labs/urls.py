"""The addresses of the site's app; a new verb on a page becomes a new noun here."""

from django.urls import path

from labs import views

urlpatterns = [
    path("", views.course_home, name="course-home"),
    path("healthz", views.healthz, name="healthz"),
]
