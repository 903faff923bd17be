from __future__ import annotations

import pytest

from monitoring_app.settings import Settings, SettingsError, from_environment
from monitoring_app.targets import AllowList


def test_defaults() -> None:
    assert from_environment({}) == Settings()


def test_empty_is_unset() -> None:
    assert from_environment({"MONITORING_SMTP_HOST": " "}).smtp_host is None


def test_values() -> None:
    settings = from_environment(
        {
            "MONITORING_TIMEZONE": "Europe/Paris",
            "MONITORING_CHECK_URLS": "http://a/health, http://b/health\nhttps://c/",
            "MONITORING_DISK_TARGETS": "/var db1:/",
            "MONITORING_ALLOWED_HOSTS": "a,b,*.example.org",
            "MONITORING_HTTP_TIMEOUT": "2.5",
            "MONITORING_SSH_USER": "probe",
            "MONITORING_SMTP_PORT": "587",
        }
    )
    assert settings == Settings(
        timezone="Europe/Paris",
        check_urls=("http://a/health", "http://b/health", "https://c/"),
        disk_targets=("/var", "db1:/"),
        allowed_hosts=AllowList.parse(("a", "b", "*.example.org")),
        http_timeout=2.5,
        ssh_user="probe",
        smtp_port=587,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MONITORING_TIMEZONE", "Mars/Olympus"),
        ("MONITORING_CHECK_URLS", "http://a/ ftp://b/"),
        ("MONITORING_DISK_TARGETS", "var"),
        ("MONITORING_ALLOWED_HOSTS", "10.0.0.1/8"),
        ("MONITORING_HTTP_TIMEOUT", "0"),
        ("MONITORING_HTTP_TIMEOUT", "nan"),
        ("MONITORING_SSH_CONNECT_TIMEOUT", "ten"),
        ("MONITORING_SMTP_PORT", "65536"),
        ("MONITORING_RETRY_BASE", "-1"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        from_environment({variable: value})
