from __future__ import annotations

import pytest

from monitoring_app.tasks.orders import (
    InvalidOrderError,
    Order,
    ship_order,
    start_order,
    validate_order,
)

ITEM = {"sku": "book", "quantity": 2, "price": 1250}


def test_an_order_is_shipped() -> None:
    order = {"id": "o1", "items": [ITEM, {**ITEM, "quantity": 1}]}
    shipped = ship_order.AsyncResult(start_order(order))
    assert shipped.get(timeout=5) == {
        **order,
        "status": "shipped",
        "total": 3750,
        "payment": "payment-o1",
        "parcel": "parcel-o1",
    }


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"items": [ITEM]}, "the order has no id"),
        ({"id": "o3"}, "order o3 has no items"),
        ({"id": "o3", "items": [ITEM, {**ITEM, "quantity": 0}]}, "item 2 of order o3 lacks"),
        ({"id": "o3", "items": [{**ITEM, "quantity": True}]}, "item 1 of order o3 lacks"),
        ({"id": "o3", "items": [{**ITEM, "price": 12.5}]}, "item 1 of order o3 lacks"),
        ({"id": "o3", "items": [{"quantity": 1, "price": 1}]}, "item 1 of order o3 lacks"),
        ({"id": "o3", "items": ["book"]}, "item 1 of order o3 lacks"),
    ],
)
def test_what_an_order_must_have(order: Order, reason: str) -> None:
    with pytest.raises(InvalidOrderError, match=reason):
        validate_order(order)
