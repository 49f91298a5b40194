"""The warden's own rules; what it does to real commands is in test_local."""

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.agent import warden


def test_it_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(warden.__file__).read_text())
    names = {node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_a_folder_that_was_started_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "started").write_text("{}")
    warden.main(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lock", "started"]


def test_what_is_written_replaces_what_was_and_leaves_no_half(tmp_path: Path) -> None:
    warden.write(tmp_path / "usage", {"wall_ms": 1})
    warden.write(tmp_path / "usage", {"wall_ms": 2})
    assert [one.name for one in tmp_path.iterdir()] == ["usage"]
    assert (tmp_path / "usage").read_text() == '{"wall_ms": 2}'


def test_descendants_are_all_below_and_no_others() -> None:
    # Other tests' nodes and databases are below this process too, and stay.
    others = set(warden.descendants())
    with subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True) as child:
        while len(set(found := warden.descendants()) - others) < 2:
            pass
        os.killpg(child.pid, 9)
    assert child.pid in found
    assert os.getpid() not in found
    assert os.getppid() not in found


def test_what_is_sampled_is_all_below_and_nothing_else_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[int] = set()

    def noted(pid: int) -> list[str]:
        read.add(pid)
        return stat_of(pid)

    stat_of, others = warden.stat_of, set(warden.descendants())
    with subprocess.Popen(["sh", "-c", "(sleep 600 & wait) & wait"], start_new_session=True) as child:
        while len(own := set(warden.descendants()) - others) < 3:
            pass
        monkeypatch.setattr(warden, "stat_of", noted)
        meter = warden.Meter([])
        meter.sample()
        monkeypatch.undo()
        monkeypatch.setattr(warden, "_LISTS_CHILDREN", False)
        without_lists = warden.seen_below()
        # Before anything is asserted: a test that fails waits for nobody.
        os.killpg(child.pid, 9)
    assert child.pid in own
    assert set(meter.alive) == read
    assert own <= set(meter.alive) & set(without_lists)
    assert os.getppid() not in read


def test_a_machine_without_gpus_meters_none(tmp_path: Path) -> None:
    idle = warden.Gpus([])
    idle.sample()
    assert idle.busy_ms == 0


def test_memory_that_is_shared_counts_once() -> None:
    mine = warden.shared_once({os.getpid(): []})
    assert 0 < mine < 2 * 2**30
    assert warden.shared_once({2**22 + 1: []}) == 0


def test_why_a_run_must_end(tmp_path: Path) -> None:
    meter = warden.Meter([])
    order = {"wall_s_max": 100, "memory_bytes": 0, "processes_max": 0}
    assert warden.why_to_end(order, tmp_path, meter) == ""
    meter.alive = {os.getpid(): []}
    assert warden.why_to_end(order, tmp_path, meter) == "killed: it had 1 processes, 0 may be"
    assert "the length of its window" in warden.why_to_end(order | {"wall_s_max": -1}, tmp_path, meter)
    meter.memory_bytes = 2**40
    assert "1 are leased" in warden.why_to_end(order | {"memory_bytes": 1}, tmp_path, meter)
    (tmp_path / "stop").touch()
    assert warden.why_to_end(order, tmp_path, meter) == "stopped"


def test_a_number_that_came_back_is_waited_for() -> None:
    with subprocess.Popen(["true"]) as command, subprocess.Popen(["true"]) as other:
        while warden.stat_of(other.pid)[0] != "Z":
            pass
        warden.reap({command.pid: ["Z", str(os.getpid())]}, command)
        assert command.wait() == 0
        # The command is over, and the kernel has given its number to another.
        command.pid = other.pid
        warden.reap({other.pid: ["Z", str(os.getpid())]}, command)
        assert warden.stat_of(other.pid) == []


def test_a_control_group_holds_what_is_started_in_it_and_ends_it_at_once() -> None:
    name = f"test-{os.getpid()}"
    group = warden.make_group(name)
    # Few may make one, and where nobody may there is none to be left.
    assert group == (warden.group_of(name) if group else None)
    if group is None:
        return
    script = f"echo $$ > {group}/cgroup.procs; sleep 600 & setsid sleep 600 & wait"
    with subprocess.Popen(["sh", "-c", script]) as child:
        while len((group / "cgroup.procs").read_text().split()) < 3:
            pass
        warden.kill_group(group)
        assert child.wait() == -9
    until_s = time.monotonic() + 30
    while group.exists():
        assert time.monotonic() < until_s
        warden.kill_group(group)
    warden.kill_group(group)
