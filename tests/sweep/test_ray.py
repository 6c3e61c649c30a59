"""Sweeps on a Ray cluster of three nodes, all of them on this machine's loopback address."""

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import psutil
import pytest

from cohort.cli import main
from tests.sweep.support import FINISHED, Place, ends, kill, wait_for
from tests.sweep.trouble import VARIABLE

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # takes 127.0.0.1 for what it is
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray", reason="needs requirements/ray.txt")

NODE = {
    "num_cpus": 1,
    "node_ip_address": "127.0.0.1",
    "object_store_memory": 80 * 2**20,
    "include_dashboard": False,
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    os.environ[VARIABLE] = str(tmp_path_factory.mktemp("trouble"))  # runs have the environment of their node
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # sockets lie in it, and their paths must be short
    found = Cluster(initialize_head=True, head_node_args={**NODE, "temp_dir": folder})
    try:
        for _ in range(2):
            found.add_node(**NODE, temp_dir=folder)
        yield found
    finally:
        found.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        del os.environ[VARIABLE]
    wait_for(lambda: not raylets(), seconds=30)


@pytest.fixture
def place(tmp_path, cluster):
    return Place(tmp_path, Path(os.environ[VARIABLE]))


def raylets():
    return [child for child in psutil.Process().children(recursive=True) if "raylet" in child.name()]


def test_stopped_and_killed_a_sweep_leaves_no_one_training_on_the_cluster(place, cluster):
    for seed in (0, 1):
        (place.trouble / f"VDNMixer-2-{seed}.slow").touch()
    process = place.start(*place.words(f"--cluster={cluster.address}", "--jobs=2", typed="seed=0..2"))
    wait_for(lambda: place.has_checkpoint(1) and place.has_checkpoint(2), process)
    process.send_signal(signal.SIGTERM)
    status, output = ends(process)
    assert status == 143, output
    assert place.states() == ["interrupted", "interrupted"]
    assert not (place.sweep / "stop").exists()
    assert [status_of(place, number)["state"] for number in (1, 2)] == ["TERMINATED"] * 2

    stopped = [status_of(place, number)["t_env"] for number in (1, 2)]
    process = place.start(f"--resume={place.sweep}", f"--cluster={cluster.address}", "--jobs=2")
    wait_for(
        lambda: all(status_of(place, number)["t_env"] > stopped[number - 1] for number in (1, 2)), process
    )
    pids = [status_of(place, number)["pid"] for number in (1, 2)]
    kill(process)
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    for file in place.trouble.iterdir():
        file.unlink()
    assert main([f"--resume={place.sweep}"]) == 0, "here, without the cluster"
    assert place.states() == ["completed"] * 3
    assert len(place.runs) == 3


def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path, capsys):
    line = Place(tmp_path).words("--cluster=ray://127.0.0.1:1", typed="seed=0..2")
    assert main(line) == 2
    message = capsys.readouterr().err
    assert "--cluster=ray://127.0.0.1:1: no Ray cluster answers" in message
    assert "ray start --head" in message
    assert not list((tmp_path / "results").iterdir())


def test_results_that_a_machine_does_not_see_are_refused(place, cluster, capsys, monkeypatch):
    monkeypatch.setattr("cohort.sweep.ray_cluster._looker", lambda: lambda probe, program: (False, True))
    assert main(place.words(f"--cluster={cluster.address}", typed="seed=0..2")) == 2
    message = capsys.readouterr().err
    assert "does not see" in message
    assert "all machines share" in message
    assert place.runs == []


def test_a_run_goes_on_elsewhere_when_its_node_is_killed_and_the_table_is_right(place, cluster):
    failing = place.trouble / "VDNMixer-2-1.fails"
    slow = [place.trouble / f"QMIXMixer-{name}.slow" for name in ("2-0", "1-0", "2-1")]
    for file in (failing, *slow):
        file.touch()
    words = place.words(
        f"--cluster={cluster.address}",
        config="qmix,vdn",
        typed="seed=0..2 env_args.map_name=two_step,climbing",
    )
    process = place.start(*words)
    wait_for(lambda: all(place.has_checkpoint(number) for number in (1, 2, 3)), process)
    nodes = {number: node_of(cluster, place.folder(number)) for number in (1, 2, 3)}
    assert len(set(nodes.values())) == 3
    victim = next(number for number, node in nodes.items() if node is not cluster.head_node)
    kill_machine(cluster, nodes[victim])
    for file in slow:
        file.unlink()
    status, output = ends(process, 300)
    assert status == 1, output
    assert place.states() == ["failed" if number == 8 else "completed" for number in range(12)]
    assert "its machine was lost" in output
    sessions = [len((place.folder(number) / "command.txt").read_text().splitlines()) for number in (1, 2, 3)]
    assert sessions == [1 + (number == victim) for number in (1, 2, 3)], "it went on from its checkpoint"

    # resumed on the two nodes that are left
    failing.unlink()
    assert main([f"--resume={place.sweep}", "--retry-failed", f"--cluster={cluster.address}"]) == 0
    assert [" ".join(row[4:8]) for row in place.table()] == [f"COMPLETED {FINISHED}"] * 12
    assert len(place.runs) == 12
    assert not list(place.sweep.glob(".probe*"))


def status_of(place, number):
    return json.loads((place.folder(number) / "status.json").read_text())


def node_of(cluster, folder):
    """The node that the run in `folder` is on."""
    process = psutil.Process(json.loads((folder / "status.json").read_text())["pid"])
    above = {parent.pid for parent in process.parents()}
    (node,) = [node for node in cluster.list_all_nodes() if raylet_of(node) in above]
    return node


def raylet_of(node):
    return node.all_processes["raylet"][0].process.pid


def kill_machine(cluster, node):
    """As a machine that loses its power: the raylet, its workers and their runs at once."""
    raylet = psutil.Process(raylet_of(node))
    for process in [*raylet.children(recursive=True), raylet]:
        process.kill()
    cluster.remove_node(node, allow_graceful=False)
