"""Faults of processes: killed, stopped, ended, each at any moment."""

import random
import signal
import time

import psutil

from tests.faults.kind import kind
from tests.faults.processes import is_alive, send
from tests.faults.system import System

REPLACED_SECS = (12.0, 15.0)  # a silent trainer is replaced after 10


def one_of(pids: list[int], source: random.Random) -> int | None:
    """Return one of the processes, if there is any."""
    return source.choice(pids) if pids else None


def trainer_of(system: System, source: random.Random) -> int | None:
    """Return one of the trainers; every other time the busiest.

    What goes wrong does so at full speed first.
    """
    trainers = system.trainers()
    if source.random() < 0.5:
        return one_of(trainers, source)
    return max(trainers, key=_share, default=None)


def _share(pid: int) -> float:
    # Of a core, since it was started.
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return float((times.user + times.system) / max(time.time() - process.create_time(), 0.01))
    except psutil.NoSuchProcess:
        return 0.0


@kind(14)
def kill_trainer(system: System, source: random.Random) -> None:
    """Kill -9 one trainer, whatever else is going on."""
    if pid := trainer_of(system, source):
        send(pid, signal.SIGKILL)


@kind(2)
def kill_trainer_and_wait(system: System, source: random.Random) -> None:
    """Kill -9 one trainer when all is calm, and measure until another has taken its place."""
    system.lasting.lift()
    system.wait_ready(time.monotonic(), "nothing: calm again")
    if pid := trainer_of(system, source):
        begun = time.monotonic()
        send(pid, signal.SIGKILL)
        while is_alive(pid) and time.monotonic() < begun + 5:
            time.sleep(0.001)
        system.wait_ready(begun, "kill trainer")


@kind(3)
def kill_two_trainers(system: System, source: random.Random) -> None:
    """Kill -9 two trainers at once."""
    trainers = system.trainers()
    for pid in source.sample(trainers, min(2, len(trainers))):
        send(pid, signal.SIGKILL)


@kind(3)
def end_trainer(system: System, source: random.Random) -> None:
    """Send SIGTERM or SIGINT to one trainer alone."""
    if pid := trainer_of(system, source):
        send(pid, source.choice([signal.SIGTERM, signal.SIGINT]))


@kind(2)
def kill_forkserver(system: System, source: random.Random) -> None:
    """Kill -9 the process that starts trainers."""
    if pid := one_of(system.starters(), source):
        send(pid, signal.SIGKILL)


@kind(2)
def kill_forkserver_and_trainer(system: System, source: random.Random) -> None:
    """Kill -9 the process that starts trainers, and a trainer a moment later."""
    trainer = trainer_of(system, source)
    kill_forkserver(system, source)
    time.sleep(source.uniform(0, 0.05))
    if trainer:
        send(trainer, signal.SIGKILL)


@kind(8)
def stop_trainer(system: System, source: random.Random) -> None:
    """Stop one trainer for 0.05 to 2 s."""
    if pid := trainer_of(system, source):
        system.lasting.stop(pid, source.uniform(0.05, 2))


@kind(6)
def stop_server(system: System, source: random.Random) -> None:
    """Stop the server for 0.05 to 2 s: a hitch."""
    system.lasting.stop(system.server.process.pid, source.choice([0.05, 0.1, 0.2, 0.4, 0.4, 2]))


@kind(2)
def stop_forkserver(system: System, source: random.Random) -> None:
    """Stop the process that starts trainers for 0.05 to 2 s."""
    if pid := one_of(system.starters(), source):
        system.lasting.stop(pid, source.uniform(0.05, 2))


@kind(7)
def kill_trainer_while_server_is_stopped(system: System, source: random.Random) -> None:
    """Stop the server, kill -9 a trainer meanwhile, let the server go on, and tune at once."""
    trainer = trainer_of(system, source)
    server = system.server.process.pid
    send(server, signal.SIGSTOP)
    time.sleep(source.uniform(0.05, 0.4))
    if trainer:
        send(trainer, signal.SIGKILL)
    time.sleep(source.uniform(0, 0.05))
    send(server, signal.SIGCONT)
    time.sleep(source.uniform(0, 0.1))
    for watched in system.watched_runs:
        system.sender.send(watched, {"kind": "tune", "lr": watched.rate * source.uniform(0.5, 1.5)})


@kind(1)
def freeze_trainer_beyond_its_replacement(system: System, source: random.Random) -> None:
    """Stop one trainer until another has replaced it, and let it go on then."""
    if not system.frozen and (pid := trainer_of(system, source)):
        send(pid, signal.SIGSTOP)
        system.frozen.append((pid, time.monotonic() + source.uniform(*REPLACED_SECS)))


@kind(1)
def kill_server(system: System, source: random.Random) -> None:
    """Kill -9 the server alone; its trainers live on and find the next one."""
    system.take_down()
    begun = time.monotonic()
    send(system.server.process.pid, signal.SIGKILL)
    system.bring_up(begun, "kill server")


@kind(1)
def kill_server_and_trainer(system: System, source: random.Random) -> None:
    """Kill -9 the server and one trainer together."""
    trainer = trainer_of(system, source)
    system.take_down()
    begun = time.monotonic()
    send(system.server.process.pid, signal.SIGKILL)
    if trainer:
        send(trainer, signal.SIGKILL)
    system.bring_up(begun, "kill server and trainer")


@kind(1)
def kill_everything(system: System, source: random.Random) -> None:
    """Kill -9 every process at once."""
    system.take_down()
    begun = time.monotonic()
    system.processes.kill_all()
    system.bring_up(begun, "kill everything")


@kind(1)
def end_everything(system: System, source: random.Random) -> None:
    """Send SIGTERM to every process at once, as a service manager does."""
    _end(system, signal.SIGTERM, everything=True)


@kind(1)
def stop_by_ctrl_c(system: System, source: random.Random) -> None:
    """Send SIGINT to every process at once, as a terminal does."""
    _end(system, signal.SIGINT, everything=source.random() < 0.5)


def _end(system: System, number: signal.Signals, everything: bool) -> None:
    system.lasting.lift()
    server = system.server.process.pid
    system.take_down()
    begun = time.monotonic()
    for pid in system.processes.pids() if everything else [server]:
        send(pid, number)
    system.wait_end(begun, 0 if number == signal.SIGINT else None)
    system.bring_up(time.monotonic(), f"ended by {number.name}")
