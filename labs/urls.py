"""The addresses of the site's app; a new verb on a page becomes a new noun here."""

from django.urls import include, path, register_converter

from labs import (
    certificate_views,
    course_views,
    exam_views,
    lesson_views,
    one_time,
    replay_views,
    session_views,
    views,
    xray_views,
)
from labs.hosts import join_views
from labs.hosts import views as host_views
from labs.sight import views as sight


class RecordingName:
    """The number of a terminal and the millisecond in which its shell began, as workers name their files."""

    regex = r"[0-7]-\d{13}"
    to_python = to_url = staticmethod(str)


register_converter(RecordingName, "recording")

lesson_patterns = [
    path("", lesson_views.show, name="lesson"),
    path("sessions/", lesson_views.start, name="session-create"),
    path("hints/<slug:block>/", lesson_views.hint, name="hint"),
    path("answers/<slug:block>/", lesson_views.answer, name="answer"),
    path("measurements/<slug:block>/", lesson_views.measurement, name="measurement"),
    path("reading/", lesson_views.reading, name="reading"),
    path("reading/removal/", lesson_views.reading_removal, name="reading-removal"),
]
session_patterns = [
    path("", session_views.show, name="session"),
    path("extension/", session_views.extension, name="session-extension"),
    path("end/", session_views.end, name="session-end"),
    path("restart/", session_views.restart, name="session-restart"),
    path("rewind/", session_views.rewind, name="session-rewind"),
    path("disposal/", session_views.disposal, name="session-disposal"),
    path("previews/<int:number>/", session_views.preview, name="session-preview"),
    path("replay/", replay_views.index, name="session-replay"),
    path("replay/<recording:name>.cast", replay_views.cast, name="session-cast"),
    path("replay/<recording:name>/", replay_views.transcript_page, name="session-transcript"),
    path("replay/<recording:name>.txt", replay_views.transcript_file, name="session-transcript-file"),
    path("limits/", xray_views.limits, name="session-limits"),
    path("terminals/", session_views.terminals, name="session-terminal-create"),
    path("terminals/<int:number>/end/", session_views.terminal_end, name="session-terminal-end"),
]
urlpatterns = [
    path("", views.course_home, name="course-home"),
    path("learn/<slug:course>/<slug:module>/<slug:lesson>/", include(lesson_patterns)),
    path("sessions/<uuid:session_id>/", include(session_patterns)),
    path("accounts/one-time/<str:token>/", one_time.sign_in, name="one-time"),
    path("me/", views.me_progress, name="me-progress"),
    path("me/numbers/", course_views.numbers, name="me-numbers"),
    path("offline/<slug:course>.zip", course_views.offline_bundle, name="offline-bundle"),
    path("exams/<slug:course>/<slug:module>/", exam_views.show, name="exam"),
    path("exams/<slug:course>/<slug:module>/attempts/", exam_views.begin, name="exam-attempt-create"),
    path("attempts/<uuid:attempt>/", exam_views.attempt, name="exam-attempt"),
    path("attempts/<uuid:attempt>/answers/", exam_views.answers, name="exam-answers"),
    path("attempts/<uuid:attempt>/submission/", exam_views.submission, name="exam-submission"),
    path("me/certificates/<slug:course>/", certificate_views.mine, name="certificate"),
    path("certificates/", certificate_views.every, name="certificates"),
    path("certificates/<uuid:certificate>.pdf", certificate_views.pdf, name="certificate-pdf"),
    path("certificates/<uuid:certificate>/revocation/", certificate_views.revocation, name="certificate-revocation"),
    path("verify/<str:certificate>/", certificate_views.verification, name="certificate-verification"),
    path("glossary/", course_views.glossary, name="glossary"),
    path("guide/", course_views.guide, name="guide"),
    path("search/", course_views.search, name="search"),
    path("operator/", host_views.operator, name="operator"),
    path("operator/capacity/", sight.show_capacity, name="operator-capacity"),
    path("metrics", sight.show_metrics, name="metrics"),
    path("operator/join-tokens/", host_views.token_create, name="join-token-create"),
    path("operator/join-tokens/<int:pk>/revocation/", host_views.token_revocation, name="join-token-revocation"),
    path("operator/hosts/<str:name>/wish/", host_views.wish, name="host-wish"),
    path("operator/hosts/<str:name>/removal/", host_views.removal, name="host-removal"),
    path("workers/join/", join_views.join, name="worker-join"),
    path("workers/leave/", join_views.leave, name="worker-leave"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
