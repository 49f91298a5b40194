"""What the parts of an agent share: names of runs, documents held against their hash."""

from dataclasses import replace
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from ledger.agent.document import NOTHING, JobDocument
from ledger.errors import UnreadableText
from tests.ledger.agent.stand import Away, Hand, stand
from tests.world import World


def test_a_run_has_a_name_of_its_own(anvil_world: World, tmp_path: Path) -> None:
    with stand(anvil_world, tmp_path, executor=Hand()) as made:
        lease, _ = made.lease(b"a")
        made.tick()
        work, setup = made.work(lease), made.agent._setup
        names = {
            setup.run_id(one) for one in (work, replace(work, lease=lease + 1), replace(work, job_hash=keccak(b"b")))
        }
        assert len(names) == 3
        assert setup.run_id(work).startswith(f"lease-{lease}-")
        assert setup.run_folder(work).parent == tmp_path / "agent" / "runs"


def test_a_document_is_held_against_its_hash_and_asked_for_once(anvil_world: World, tmp_path: Path) -> None:
    with stand(anvil_world, tmp_path, executor=Hand()) as made:
        content = made.job("true")
        lease, _ = made.lease(content)
        made.tick(None)
        work, setup = made.work(lease), made.agent._setup
        [path] = (tmp_path / "agent" / "documents").iterdir()
        away = replace(setup, jobs=Away())
        assert away.document(work) == JobDocument(("sh", "-c", "true"))
        # What was tampered with is fetched again.
        path.write_bytes(b"other")
        assert setup.document(work) == JobDocument(("sh", "-c", "true"))
        assert path.read_bytes() == content
        assert setup.document(replace(work, job_hash=NOTHING)) is None
        assert setup.document(replace(work, job_hash=keccak(b"absent"))) is None
        with pytest.raises(UnreadableText):
            setup.document(replace(work, job_hash=made.shelf.put_document(b"{}")))
