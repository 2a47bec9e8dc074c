"""Where and how livegrad is started is nothing to a run.

It trains, and comes out as a file for PyTorch.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.running import Server, serving
from tests.server.trainers import forkserver_of

# As the installed `livegrad` command does, and `python -m` does not: nothing is imported from the
# working folder.
COMMAND = (sys.executable, "-P", "-m", "livegrad")
SHADOWED = (
    "torch",
    "random",
    "socket",
    "numpy",
    "typing",
    "json",
    "livegrad",
    "signal",
    "pydantic",
)


def check_it_works(server: Server) -> str:
    """Make a run, train it, and take it out as a file; return the run."""
    run = server.create(pace=None)
    assert server.command(run, "step", count=3)["step"] == 3, server.log_text()
    assert state_dict(server, run).startswith(b"PK")
    return run


def state_dict(server: Server, run: str) -> bytes:
    answer = server.client.get(f"/api/runs/{run}/parameters", params={"format": "state_dict"})
    assert answer.status_code == 200, answer.text
    return answer.content


def first_run(server: Server) -> str:
    """Return the run that a new server makes by itself, paused at step 0."""
    run = str(server.get("/runs")[0]["id"])
    server.wait(run, "paused")
    return run


def test_a_run_trains_in_a_folder_with_files_named_like_modules(tmp_path: Path) -> None:
    folder = tmp_path / "lessons"
    folder.mkdir()
    for name in SHADOWED:
        (folder / f"{name}.py").write_text(
            "raise RuntimeError('a file of the learner was imported')\n"
        )
    with serving(tmp_path / "data", program=COMMAND, cwd=folder) as server:
        check_it_works(server)


def test_a_run_trains_although_its_long_temporary_folder_is_deleted(tmp_path: Path) -> None:
    temporary = tmp_path / ("x" * 120)
    temporary.mkdir()
    with serving(tmp_path / "data", environment={"TMPDIR": str(temporary)}) as server:
        run = first_run(server)
        shutil.rmtree(temporary)
        assert state_dict(server, run)
        check_it_works(server)


def test_a_run_trains_although_the_working_folder_is_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with serving(tmp_path / "data", program=COMMAND, cwd=folder) as server:
        folder.rmdir()
        check_it_works(server)
        forkserver_of(server).kill()
        check_it_works(server)


def test_a_run_trains_although_the_working_folder_may_not_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir()
    program: tuple[str, ...] = COMMAND
    if os.getuid() == 0:  # root may read everything, unless it gives that up
        lost = "-dac_override,-dac_read_search"
        program = ("setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}", *COMMAND)
    script = f"cd '{folder}' && chmod 000 . && exec \"$@\""
    try:
        with serving(tmp_path / "data", program=("sh", "-c", script, "sh", *program)) as server:
            check_it_works(server)
    finally:
        folder.chmod(0o700)


def test_a_script_without_a_main_guard_is_run_once(tmp_path: Path) -> None:
    script = tmp_path / "start.py"
    script.write_text(
        "import sys\nfrom livegrad.cli import main\n"
        "print('the script was run', file=sys.stderr, flush=True)\nsys.exit(main())\n"
    )
    with serving(tmp_path / "data", program=(sys.executable, str(script))) as server:
        check_it_works(server)
        assert server.log_text().count("the script was run") == 1


def with_device(folder: Path) -> dict[str, str]:
    """Build the stand-in device; return an environment in which importing torch registers it."""
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("NO C++ COMPILER: training beside a device that is not the CPU is NOT tested")
    spec = find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    torch = Path(spec.origin).parent
    library, source = folder / "device.so", Path(__file__).with_name("device.cpp")
    command = [compiler, "-shared", "-fPIC", "-std=c++20", f"-I{torch / 'include'}", str(source)]
    command += ["-o", str(library), f"-L{torch / 'lib'}", "-lc10", f"-Wl,-rpath,{torch / 'lib'}"]
    subprocess.run(command, check=True, timeout=300)
    (folder / "sitecustomize.py").write_text(REGISTERING.format(library=str(library)))
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path)}


REGISTERING = """
import ctypes, importlib.util, sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("torch")
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            ctypes.CDLL("{library}", mode=ctypes.RTLD_GLOBAL)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.slow
def test_a_run_trains_beside_a_device_that_is_not_the_cpu(tmp_path: Path) -> None:
    environment = with_device(tmp_path)
    forked = (
        "import torch, os; torch.ones(1, requires_grad=True).sum().backward(); pid = os.fork();"
        "pid or torch.ones(1, requires_grad=True).sum().backward();"
        "pid and exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    plain = subprocess.run(
        [sys.executable, "-c", forked],
        env=os.environ | environment,
        capture_output=True,
        timeout=120,
    )
    # the stand-in is one: there, a fork cannot train
    assert b"fork-based multiprocessing" in plain.stderr
    with serving(tmp_path / "data", environment=environment) as server:
        check_it_works(server)


@pytest.mark.slow
def test_a_signal_to_every_process_at_once_interrupts_a_run_and_it_goes_on_later(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with serving(data, start_new_session=True) as server:
        run = check_it_works(server)
        server.command(run, "play")
        os.killpg(server.process.pid, signal.SIGTERM)
        server.process.wait(30)
    with serving(data) as server:
        found = server.wait(run, "interrupted", "paused", "failed")
        assert found["state"] != "failed", found
        before = found["step"]
        assert server.command(run, "step")["step"] == before + 1


@pytest.mark.slow
def test_no_process_is_left_once_the_terminal_is_closed(tmp_path: Path) -> None:
    with serving(tmp_path / "data", start_new_session=True) as server:
        first_run(server)
        left = server.descendants()
        os.killpg(server.process.pid, signal.SIGHUP)
        server.process.wait(30)
        _, alive = psutil.wait_procs(left, timeout=20)  # a trainer looks for a server for 5 s
        assert not alive


@pytest.mark.slow
def test_a_server_that_is_killed_while_torch_loads_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        forkserver = forkserver_of(server)
        left = {forkserver, *server.descendants()}
        server.process.kill()
        server.process.wait()
        _, alive = psutil.wait_procs(left, timeout=20)
        assert not alive


def test_its_processes_ignore_what_is_the_servers_to_hear(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        run = first_run(server)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for process in server.descendants():
                process.send_signal(number)
        time.sleep(0.2)
        assert server.command(run, "step", count=5)["step"] == 5
        assert server.get(f"/runs/{run}")["epoch"] == 1
