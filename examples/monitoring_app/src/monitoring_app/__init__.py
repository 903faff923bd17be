"""A small Celery application: HTTP and disk checks, an order workflow, notifications."""

__version__ = "1.0.0"
