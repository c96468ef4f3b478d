"""The addresses of the site's app; a new verb on a page becomes a new noun here."""

from django.urls import path

from labs import session_views, views

urlpatterns = [
    path("", views.course_home, name="course-home"),
    path("sessions/<uuid:session_id>/", session_views.show, name="session"),
    path("sessions/<uuid:session_id>/extension/", session_views.extension, name="session-extension"),
    path("sessions/<uuid:session_id>/end/", session_views.end, name="session-end"),
    path("sessions/<uuid:session_id>/restart/", session_views.restart, name="session-restart"),
    path("me/", views.me_progress, name="me-progress"),
    path("operator/", views.operator, name="operator"),
    path("healthz", views.healthz, name="healthz"),
]
