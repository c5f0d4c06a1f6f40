import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from activities.changes import Targets
from activities.errors import Ambiguous, Refused, Unwell
from activities.host_images import HostImages, LookAtImages, PruneImages
from tests.activities.attempts import run
from tests.activities.scripted_host import ScriptedHost, scripted_host

NOW = datetime.now(UTC)


def id_of(number: int) -> str:
    return f"sha256:{number:064x}"


class Docking(ScriptedHost):
    """A host with a Docker: eight releases of the API, and what else a test puts there."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self.images = {
            id_of(n): (f"registry.example.com:5000/pravado-api:v1.{n}", timedelta(days=100 - n))
            for n in range(1, 9)
        }
        self.containers = ["registry.example.com:5000/pravado-api:v1.8"]
        self.conflicts: set[str] = set()

    def add(self, number: int, name: str = "<none>:<none>", **ago: float) -> str:
        self.images[id_of(number)] = (name, timedelta(**ago))
        return id_of(number)

    def act(self, words):
        match words:
            case ["docker", "image", "ls", "--no-trunc", "--format", "{{json .}}"]:
                return 0, "".join(map(self._listed, self.images)), ""
            case ["docker", "container", "ls", "--all", *_]:
                return 0, "".join(f"{each}\n" for each in self.containers), ""
            case ["docker", "image", "rm", image]:
                if image in self.conflicts:
                    said = "Error response from daemon: conflict: unable to delete: is being used"
                    return 1, "", said
                if self.images.pop(image, None) is None:
                    return 1, "", f"Error response from daemon: No such image: {image}"
                return 0, f"Deleted: {image}\n", ""
        return super().act(words)

    def _listed(self, image: str) -> str:
        name, ago = self.images[image]
        repository, _, tag = name.rpartition(":")
        made = (NOW - ago).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
        about = {"ID": image, "Repository": repository, "Tag": tag, "Size": "412MB"}
        return json.dumps(about | {"CreatedAt": made}) + "\n"


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[Docking]:
    async with scripted_host(tmp_path, Docking) as served:
        yield served


def images(machine: Docking) -> HostImages:
    return HostImages(machine.ssh, targets=Targets())


async def unused(machine: Docking) -> list[str]:
    return [each.id for each in (await run(images(machine).unused, LookAtImages())).unused]


async def test_the_last_five_of_a_repository_stay_and_the_oldest_go_first(machine):
    assert await unused(machine) == [id_of(1), id_of(2), id_of(3)]


@pytest.mark.parametrize(
    "container",
    [
        pytest.param("registry.example.com:5000/pravado-api:v1.1", id="by its name"),
        pytest.param(id_of(1), id="by its id"),
        pytest.param(f"{1:064x}"[:12] , id="by the beginning of its id"),
    ],
)  # fmt: skip
async def test_what_a_container_was_made_of_stays(machine, container):
    if len(container) == 12:
        machine.images = {f"sha256:{'ab' * 32}": machine.images.pop(id_of(1)), **machine.images}
        container = "abababababab"
    machine.containers.append(container)

    assert await unused(machine) == [id_of(2), id_of(3)]


async def test_a_nameless_image_goes_once_no_build_can_still_want_it(machine):
    young, old = machine.add(90, hours=3), machine.add(91, days=3)

    found = await unused(machine)

    assert old in found
    assert young not in found


async def test_an_image_whose_age_is_not_known_stays(machine):
    machine.answers["docker image ls"] = (
        0, json.dumps({"ID": id_of(1), "Repository": "<none>", "Tag": "<none>"}) + "\n", "",
    )  # fmt: skip
    assert await unused(machine) == []


async def test_exactly_the_approved_images_are_removed(machine):
    order = PruneImages(images=(id_of(1), id_of(2)))
    before = await run(images(machine).prune_read, order)
    done = await run(images(machine).prune, order, before)

    assert id_of(3) in machine.images
    assert not {id_of(1), id_of(2)} & set(machine.images)
    assert (done.said, done.changed) == ("removed 2 of 2 images", True)


async def test_an_order_for_a_recent_release_removes_nothing(machine):
    order = PruneImages(images=(id_of(4), id_of(8)))
    with pytest.raises(Refused, match="none of these"):
        await run(images(machine).prune_read, order)
    assert len(machine.images) == 8


async def test_what_the_log_of_deployments_names_stays_however_old(machine):
    order = PruneImages(images=(id_of(1), id_of(2)), keep_tags=("v1.1",))
    before = await run(images(machine).prune_read, order)
    await run(images(machine).prune, order, before)

    assert id_of(1) in machine.images
    assert id_of(2) not in machine.images


async def test_what_came_into_use_meanwhile_is_kept_by_us_and_by_docker(machine):
    order = PruneImages(images=(id_of(1), id_of(2), id_of(3)))
    before = await run(images(machine).prune_read, order)
    machine.containers.append(id_of(1))
    machine.conflicts.add(id_of(2))

    done = await run(images(machine).prune, order, before)

    assert {id_of(1), id_of(2)} <= set(machine.images)
    assert "Docker kept registry.example.com:5000/pravado-api:v1.2" in done.said
    assert machine.count(f"docker image rm {id_of(1)}") == 0


async def test_a_removal_whose_answer_was_lost_is_not_told_as_nothing(machine):
    order = PruneImages(images=(id_of(1),))
    before = await run(images(machine).prune_read, order)
    machine.drop_after = {"docker image rm"}
    with pytest.raises(Ambiguous):
        await run(images(machine).prune, order, before)

    done = await run(images(machine).prune, order, before, attempt=2)

    assert (done.said, done.changed) == ("removed 1 of 1 images", True)
    assert machine.count("docker image rm") == 1


async def test_images_that_docker_keeps_are_not_called_removed(machine):
    machine.conflicts.add(id_of(1))
    order = PruneImages(images=(id_of(1),))
    before = await run(images(machine).prune_read, order)
    with pytest.raises(Unwell, match="removed 0 of 1"):
        await run(images(machine).prune, order, before)


async def test_a_host_without_docker_says_so(machine):
    machine.answers["docker"] = (127, "", "sh: docker: not found")
    with pytest.raises(Refused, match="docker is not installed"):
        await unused(machine)


@pytest.mark.parametrize("image", ["-f", "all", "sha256:1", "pravado-api:latest"])
async def test_nothing_but_an_id_gets_into_a_command(machine, image):
    order = PruneImages(images=(image,))
    with pytest.raises(Refused):
        await run(images(machine).prune_read, order)
    assert machine.count("docker image rm") == 0
