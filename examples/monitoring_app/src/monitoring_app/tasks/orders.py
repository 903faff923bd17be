"""An order's way: validated, then paid, then shipped.

Each step hands the order on with what it has added. What a step adds is derived from the order, so
that a step that runs twice (after the loss of a worker) comes to the same end.
"""

from __future__ import annotations

from typing import Any

from celery import chain

from monitoring_app.celery import app

# {"id": str, "items": [{"sku": str, "quantity": int, "price": int (cents)}, …]} and what was added.
Order = dict[str, Any]


class InvalidOrderError(ValueError):
    """The order can't be carried out; the message says why in one sentence."""


@app.task
def validate_order(order: Order) -> Order:
    """Fail with InvalidOrderError unless the order has an id and at least one proper item."""
    if not isinstance(order.get("id"), str) or not order["id"]:
        raise InvalidOrderError("the order has no id")
    items = order.get("items")
    if not isinstance(items, list) or not items:
        raise InvalidOrderError(f"order {order['id']} has no items")
    for number, item in enumerate(items, start=1):
        if not _is_proper(item):
            raise InvalidOrderError(
                f"item {number} of order {order['id']} lacks a sku, a quantity above 0"
                " or a price in whole cents"
            )
    return {**order, "status": "validated"}


@app.task
def pay_order(order: Order) -> Order:
    """Add the total (cents) and the payment's reference."""
    total = sum(item["quantity"] * item["price"] for item in order["items"])
    return {**order, "status": "paid", "total": total, "payment": f"payment-{order['id']}"}


@app.task
def ship_order(order: Order) -> Order:
    """Add the parcel's reference."""
    return {**order, "status": "shipped", "parcel": f"parcel-{order['id']}"}


def start_order(order: Order) -> str:
    """Send the order on its way; return the id of its last step.

    That one id tells all: it has the shipped order in the end, and if a step fails, Celery fails
    the steps after it with the same error.
    """
    shipped = chain(validate_order.s(order), pay_order.s(), ship_order.s()).apply_async()
    return str(shipped.id)


def _is_proper(item: object) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("sku"), str)
        and _is_whole(item.get("quantity"), at_least=1)
        and _is_whole(item.get("price"), at_least=0)
    )


def _is_whole(value: object, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least
