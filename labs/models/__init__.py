"""The tables: the course as loaded, the sessions as they run, and what students did."""

from labs.models.course import Course, Lesson, Module
from labs.models.exam import Certificate, ExamAttempt
from labs.models.learning import Answer, HintTaken, Measurement, ReadingMark, TaskResult
from labs.models.session import Event, LabSession, Terminal

__all__ = ["Answer", "Certificate", "Course", "Event", "ExamAttempt", "HintTaken", "LabSession", "Lesson", "Measurement",
           "Module", "ReadingMark", "TaskResult", "Terminal"]
