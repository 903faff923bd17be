"""The HTTP API: start checks and orders, follow them. It has no authentication of its own."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from monitoring_app import __version__, results
from monitoring_app.celery import app as celery
from monitoring_app.publishing import BrokerError, limit_waiting, publishing
from monitoring_app.targets import parse_url
from monitoring_app.tasks.checks import check_http_endpoint
from monitoring_app.tasks.orders import start_order

MAX_PER_REQUEST = 500  # URLs or ids
MAX_BODY = 2 * 1024 * 1024  # bytes

logger = logging.getLogger(__name__)
routes = Blueprint("monitoring", __name__)


def create_app() -> Flask:
    """Make the WSGI application. It connects to broker and backend only when a request needs it."""
    limit_waiting(celery)
    api = Flask("monitoring_app")
    api.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    api.register_blueprint(routes)
    api.register_error_handler(HTTPException, _refused)
    api.register_error_handler(BrokerError, _broker_down)
    api.register_error_handler(RedisError, _backend_down)
    api.register_error_handler(Exception, _failed)
    return api


@routes.get("/health")
def health() -> ResponseReturnValue:
    """Whether this process lives; that says nothing of the broker."""
    return {"status": "ok", "version": __version__}


@routes.post("/checks")
def create_checks() -> ResponseReturnValue:
    """Send one check for each of {"urls": […]}; after a 503 some may have been sent."""
    urls = _strings("urls")
    for url in urls:
        try:
            parse_url(url)
        except ValueError as error:
            abort(400, str(error))
    with publishing(celery):
        ids = [check_http_endpoint.delay(url).id for url in urls]
    return {"ids": ids}, 202


@routes.get("/checks/<task_id>")
def show_check(task_id: str) -> ResponseReturnValue:
    """The state and result of one check; an unknown id is PENDING."""
    return _one(task_id)


@routes.post("/checks/results")
def show_checks() -> ResponseReturnValue:
    """The states and results of {"ids": […]}, by id."""
    return jsonify(results.read(_strings("ids")))


@routes.post("/orders")
def create_order() -> ResponseReturnValue:
    """Send an order on its way; whether it is a proper one is for its first step to say."""
    order = _body()
    with publishing(celery):
        return {"id": start_order(order)}, 202


@routes.get("/orders/<task_id>")
def show_order(task_id: str) -> ResponseReturnValue:
    """The shipped order, or the error that stopped it; PENDING on the way, as an unknown id."""
    return _one(task_id)


def _one(task_id: str) -> ResponseReturnValue:
    return {"id": task_id, **results.read([task_id])[task_id]}


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400, "The body must be a JSON object, sent as application/json.")
    return body


def _strings(name: str) -> list[str]:
    values = _body().get(name)
    if (
        not isinstance(values, list)
        or not 1 <= len(values) <= MAX_PER_REQUEST
        or not all(isinstance(value, str) for value in values)
    ):
        abort(400, f'"{name}" must be a list of 1 to {MAX_PER_REQUEST} strings.')
    return values


def _refused(error: HTTPException) -> ResponseReturnValue:
    # The error's own headers stay: a 405 says which methods are allowed.
    response = Response.force_type(error.get_response())
    response.set_data(jsonify(error=error.description).get_data())
    response.mimetype = "application/json"
    return response


def _broker_down(error: BrokerError) -> ResponseReturnValue:
    logger.error("The broker took no message: %s", error)
    return _error("The broker took no message: check that it runs, and CELERY_BROKER_URL.", 503)


def _backend_down(error: RedisError) -> ResponseReturnValue:
    logger.error("The result backend can't be read: %s", error)
    advice = "check that it runs, and CELERY_RESULT_BACKEND"
    return _error(f"The result backend can't be read: {advice}.", 503)


def _failed(error: Exception) -> ResponseReturnValue:
    logger.error("A request failed", exc_info=error)
    return _error("The request failed; the API's log says why.", 500)


def _error(sentence: str, status: int) -> ResponseReturnValue:
    return {"error": sentence}, status
