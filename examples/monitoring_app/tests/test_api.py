from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from monitoring_app import __version__, results
from monitoring_app.api import MAX_PER_REQUEST, create_app
from monitoring_app.tasks.checks import check_http_endpoint


@pytest.fixture
def client() -> FlaskClient:
    return create_app().test_client()


def test_health(client: FlaskClient) -> None:
    assert client.get("/health").json == {"status": "ok", "version": __version__}


def test_checks(client: FlaskClient, server: str, configure: Callable[..., None]) -> None:
    configure(allowed_hosts="127.0.0.1")
    urls = [f"{server}/status/200", f"{server}/status/500"]
    response = client.post("/checks", json={"urls": urls})
    assert response.status_code == 202
    up, down = response.json["ids"]

    one = client.get(f"/checks/{up}").json
    assert (one["id"], one["state"], one["error"]) == (up, "SUCCESS", None)
    assert one["result"]["status"] == "UP"

    many = client.post("/checks/results", json={"ids": [up, down, "unknown"]}).json
    assert many[up]["result"] == one["result"]
    assert many[down]["result"]["status_code"] == 500
    assert many["unknown"] == {"state": "PENDING", "result": None, "error": None}


def test_orders(client: FlaskClient) -> None:
    order = {"id": "o1", "items": [{"sku": "book", "quantity": 1, "price": 5}]}
    response = client.post("/orders", json=order)
    assert response.status_code == 202
    followed = client.get(f"/orders/{response.json['id']}").json
    assert followed["state"] == "SUCCESS"
    assert followed["result"]["parcel"] == "parcel-o1"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/checks", []),
        ("/checks", {}),
        ("/checks", {"urls": []}),
        ("/checks", {"urls": "http://api/"}),
        ("/checks", {"urls": [1]}),
        ("/checks", {"urls": ["http://api/"] * (MAX_PER_REQUEST + 1)}),
        ("/checks", {"urls": ["http://api/", "ftp://api/"]}),
        ("/checks/results", {"ids": [None]}),
        ("/orders", "o1"),
    ],
)
def test_a_wrong_body(client: FlaskClient, path: str, body: Any) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert list(response.json) == ["error"]


def test_other_refusals_are_json_too(client: FlaskClient) -> None:
    assert "error" in client.get("/nothing").json
    assert client.post("/checks", data="{", content_type="application/json").status_code == 400
    refused = client.get("/checks")
    assert (refused.status_code, refused.allow) == (405, {"OPTIONS", "POST"})
    assert "error" in refused.json


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> None:
        raise error

    return fail


def test_the_broker_is_down(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_http_endpoint, "delay", failing(OperationalError("10.0.0.9 refused")))
    response = client.post("/checks", json={"urls": ["http://api/"]})
    assert response.status_code == 503
    assert "CELERY_BROKER_URL" in response.json["error"]
    assert "10.0.0.9" not in response.text


def test_the_backend_is_down(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "read", failing(RedisConnectionError("10.0.0.9 refused")))
    response = client.get("/checks/some-id")
    assert response.status_code == 503
    assert "CELERY_RESULT_BACKEND" in response.json["error"]


def test_a_bug_shows_no_traceback(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "read", failing(RuntimeError("a secret")))
    response = client.get("/checks/some-id")
    assert response.status_code == 500
    assert response.json == {"error": "The request failed; the API's log says why."}
