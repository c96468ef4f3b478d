"""The tables: the course as loaded, the sessions as they run, and what students did."""

from labs.models.course import Course, Lesson, Module
from labs.models.exam import Certificate, ExamAttempt
from labs.models.host import Bundle, Catalog, JoinToken, WorkerHost
from labs.models.learning import Answer, HintTaken, Measurement, ReadingMark, TaskResult
from labs.models.session import Event, LabSession, Terminal

__all__ = ["Answer", "Bundle", "Catalog", "Certificate", "Course", "Event", "ExamAttempt", "HintTaken", "JoinToken",
           "LabSession", "Lesson", "Measurement", "Module", "ReadingMark", "TaskResult", "Terminal", "WorkerHost"]
