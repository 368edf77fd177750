"""What is derived has one name, which every release and every other program gives alike."""

import hashlib
from uuid import RFC_4122, UUID

from services.chassis.ids import derived_id


def test_a_derived_id_is_a_uuid_of_version_8_over_its_names():
    for names in (("order", "r-1"), ("order", "r-1", "2"), ("",), ("工单", "r-\x1e")):
        digest = hashlib.sha256(b"fieldloop:" + "\x1f".join(names).encode()).digest()[:16]
        given = UUID(derived_id(*names))
        assert str(given) == derived_id(*names)
        assert (given.version, given.variant) == (8, RFC_4122)
        assert given.hex[:12] == digest.hex()[:12] and given.hex[13:16] == digest.hex()[13:16]
        assert given.hex[17:] == digest.hex()[17:]


def test_the_order_of_a_request_is_called_what_it_was_called_before():
    assert derived_id("order", "r-1") == "90dbe299-bd38-8f45-8529-42f0a2d7c61b"
