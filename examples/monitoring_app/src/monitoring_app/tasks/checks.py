"""Checks of HTTP endpoints and disks."""

from __future__ import annotations

from monitoring_app import disk_check, http_check
from monitoring_app.celery import DISK_CHECK_EXPIRES, HTTP_CHECK_EXPIRES, app
from monitoring_app.settings import get_settings


@app.task
def check_http_endpoint(url: str) -> http_check.HttpCheck:
    """Whether `url` answers; a refused URL or host is DOWN with the reason in `error`."""
    settings = get_settings()
    return http_check.check_url(url, settings.allowed_hosts, settings.http_timeout)


@app.task
def check_disk_usage(target: str) -> disk_check.DiskUsage:
    """How full the disk at "/path" of the worker's host, or at "host:/path", is.

    Fails with ValueError for another form and with DiskCheckError if it can't be measured.
    """
    return disk_check.disk_usage(target, get_settings())


@app.task
def check_all_endpoints() -> list[str]:
    """Send one check for each of MONITORING_CHECK_URLS; return their task ids."""
    return [
        check_http_endpoint.apply_async((url,), expires=HTTP_CHECK_EXPIRES).id
        for url in get_settings().check_urls
    ]


@app.task
def check_all_disks() -> list[str]:
    """Send one check for each of MONITORING_DISK_TARGETS; return their task ids."""
    return [
        check_disk_usage.apply_async((target,), expires=DISK_CHECK_EXPIRES).id
        for target in get_settings().disk_targets
    ]
