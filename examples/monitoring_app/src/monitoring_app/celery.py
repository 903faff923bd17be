"""The Celery application.

Here stands only what the application itself decides. Where the broker and the result backend are
comes from CELERY_BROKER_URL and CELERY_RESULT_BACKEND, which Celery reads itself; how workers run
(late acknowledgement, prefetch, time limits, transport options) is left to the deployment.
"""

from __future__ import annotations

from celery import Celery
from celery.schedules import crontab

from monitoring_app.settings import get_settings

# A check that waited until the next one is due would only measure the backlog.
HTTP_CHECK_EXPIRES = 300  # seconds
DISK_CHECK_EXPIRES = 3600  # seconds

app = Celery(
    "monitoring_app",
    include=[
        "monitoring_app.tasks.checks",
        "monitoring_app.tasks.notifications",
        "monitoring_app.tasks.operations",
        "monitoring_app.tasks.orders",
    ],
)

app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    result_extended=True,
    task_track_started=True,
    task_default_queue="default",
    task_routes={
        "monitoring_app.tasks.checks.*": {"queue": "checks"},
        "monitoring_app.tasks.*": {"queue": "default"},
    },
    timezone=get_settings().timezone,
    beat_schedule={
        "check all endpoints": {
            "task": "monitoring_app.tasks.checks.check_all_endpoints",
            "schedule": crontab(minute="*/5"),
            "options": {"expires": HTTP_CHECK_EXPIRES},
        },
        "check all disks": {
            "task": "monitoring_app.tasks.checks.check_all_disks",
            "schedule": crontab(hour="3", minute="0"),
            "options": {"expires": DISK_CHECK_EXPIRES},
        },
    },
)
