"""A small company for tests that go through intake's routes."""

CUSTOMER = {"customer_id": "c-1", "name": "李", "phone": "13800000001", "street": "路 1", "region": "朝阳区"}
CUSTOMER |= {"lat_udeg": 39_920_000, "lon_udeg": 116_443_000}
FRIDGE = {"device_id": "d-1", "customer_id": "c-1", "model": "BCD-520", "serial": "S1", "skill": "refrigeration"}
REPAIR = {"name": "Repair", "name_zh": "报修", "min_description": 2}


async def founded(it, **repair):
    """A customer with a device, and the type `repair`."""
    for person, role, path, body in (
        ("m", "manager", "/v1/request-types/repair", REPAIR | repair),
        ("a", "agent", "/v1/customers", CUSTOMER),
        ("a", "agent", "/v1/devices", FRIDGE),
    ):
        answer = await it.call(person, role, "POST", path, json=body)
        assert answer.is_success, answer.text


async def submit(it, person="c-1", role="customer", headers=None, **changes):
    """What the answer says; a request for the fridge unless it is changed."""
    body = {"request_type": "repair", "device_id": "d-1", "description": "漏水"} | changes
    answer = await it.call(person, role, "POST", "/v1/requests", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def request(it, request_id):
    return (await it.call("a", "agent", "GET", f"/v1/requests/{request_id}")).json()
