import base64
import os
import uuid

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from workers.codec import CannotDecrypt, Encryption
from workers.connection import converter
from workers.sections import CodecSettings
from workflows.efforts import Queue

OLD, NEW = os.urandom(32), os.urandom(32)
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"what only we may read"')


async def test_what_was_encrypted_comes_back_the_same():
    codec = Encryption({"old": OLD}, "old")

    [sealed] = await codec.encode([PLAIN])

    assert b"what only we" not in sealed.SerializeToString()
    assert await codec.decode([sealed]) == [PLAIN]


async def test_after_a_rotation_the_old_can_be_read_and_the_new_key_writes():
    [before] = await Encryption({"old": OLD}, "old").encode([PLAIN])
    both = Encryption({"old": OLD, "new": NEW}, "new")

    [after] = await both.encode([PLAIN])

    assert await both.decode([before, after]) == [PLAIN, PLAIN]
    assert after.metadata["encryption-key-id"] == b"new"
    assert await Encryption({"new": NEW}, "new").decode([after]) == [PLAIN]


async def test_what_never_was_encrypted_is_passed_on():
    assert await Encryption({"old": OLD}, "old").decode([PLAIN]) == [PLAIN]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        pytest.param({"new": NEW}, "'old'", id="the key is not there"),
        pytest.param({"old": NEW}, "not the one", id="the key is another"),
    ],
)
async def test_a_key_that_is_lost_is_named(keys, says):
    [sealed] = await Encryption({"old": OLD}, "old").encode([PLAIN])

    with pytest.raises(CannotDecrypt, match=says):
        await Encryption(keys, next(iter(keys))).decode([sealed])


async def test_two_of_the_same_do_not_look_the_same():
    one, two = await Encryption({"old": OLD}, "old").encode([PLAIN, PLAIN])

    assert one.data != two.data


async def test_nothing_readable_stands_in_the_history(live):
    settings = CodecSettings(keys={"old": base64.b64encode(OLD).decode()})
    client = await Client.connect(
        live.client.service_client.config.target_host, data_converter=converter(settings)
    )
    name = f"codec-{uuid.uuid4().hex}"
    handle = await client.start_workflow(
        "Nobody",
        "whisper-argument",
        id=name,
        task_queue=f"{Queue.INCIDENTS}-{name}",
        static_summary="whisper-summary",
        start_signal="heard",
        start_signal_args=["whisper-signal"],
    )
    await handle.terminate()

    raw = (await live.client.get_workflow_handle(name).fetch_history()).to_json()
    assert "binary/encrypted" in base64.b64decode(_encodings(raw)).decode()
    for event in _data(raw):
        assert b"whisper" not in event
    assert (await (await handle.describe()).static_summary()) == "whisper-summary"


def _encodings(raw):
    return raw.split('"encoding": "')[1].split('"')[0]


def _data(raw):
    return [base64.b64decode(part.split('"')[0]) for part in raw.split('"data": "')[1:]]
