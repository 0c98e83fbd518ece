"""The `waved` program: wire the parts, run, stop cleanly."""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from waved import ending, handover, selfcheck
from waved.config import Locations, locate, make_private
from waved.errors import ConflictError, NotAllowedError, ResourceError, WavedError
from waved.pool import tree
from waved.pool.linux import become_subreaper, set_process_name
from waved.pool.pool import Pool
from waved.service import activation, job, leftovers
from waved.service.notify import Manager
from waved.version import __version__

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor
    from waved.settings import Settings


@click.command()
@click.version_option(__version__, prog_name="waved")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where journal, logs and output are kept.")
@click.option("--runtime-dir", type=click.Path(path_type=Path), help="Where the control socket is.")
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file (docs/operations.md).")
@click.option("--log-file", type=click.Path(path_type=Path), help="Write the log (JSON lines) here, not to stderr.")
@click.option("--ready-fd", type=int, help="Write one line to this descriptor: `ready`, or what is wrong.")
@click.option("--idle-exit", type=float, help="End after this many seconds without sessions and requests.")
@click.option(
    "--on-stop",
    type=click.Choice(["stop", "detach"]),
    help="At SIGTERM: end all sessions (default), or leave their agents running for the next daemon.",
)
@click.option("--check", is_flag=True, help="Only see whether this version can run here, and print it.")
@click.option("--end-leftovers", is_flag=True, help="Only end runs that a daemon which is gone has left.")
@click.option("--if-stopped", is_flag=True, help="With --end-leftovers: only if systemd is stopping the service.")
@click.option("--inherited", default="", hidden=True, help="Descriptors from the version before (upgrade).")
def main(
    state_dir: Path | None,
    runtime_dir: Path | None,
    config: Path | None,
    log_file: Path | None,
    ready_fd: int | None,
    idle_exit: float | None,
    on_stop: str | None,
    check: bool,
    end_leftovers: bool,
    if_stopped: bool,
    inherited: str,
) -> None:
    """Run coding agents in waves. Controlled with `wavectl`."""
    found = locate()
    locations = Locations((state_dir or found.state).absolute(), (runtime_dir or found.runtime).absolute())
    options = Options(
        config.absolute() if config else None, log_file.absolute() if log_file else None, idle_exit, on_stop
    )
    try:
        if check:
            _require(options.settings())
            selfcheck.check(locations)
            click.echo(__version__)
            return
        if end_leftovers:
            leftovers.make_way()
            if not if_stopped or leftovers.wanted(options.settings()):
                _end_leftovers(locations)
            return
        heir = serve(locations, options, _announcer(ready_fd), handover.Inheritance(inherited))
        if heir is not None:
            handover.replace([*handover.program(), *_as_options(locations), *options.words()], heir)
        ending.leave()
    except WavedError as error:
        text = f"{error.message}; {error.hint}" if error.hint else error.message
        _announcer(ready_fd)(text)
        click.echo(f"waved: {text}", err=True)
        sys.exit(int(error.exit_status))


def _announcer(fd: int | None) -> Callable[[str], None]:
    """Tells whoever started us how it went; they may have gone, which is no trouble."""

    def announce(text: str) -> None:
        if fd is not None:
            with contextlib.suppress(OSError):
                os.write(fd, f"{text}\n".encode())
                os.close(fd)

    return announce


@dataclass(frozen=True, slots=True)
class Options:
    """How a daemon runs, apart from where its files are."""

    config: Path | None = None
    log_file: Path | None = None
    idle_exit: float | None = None
    on_stop: str | None = None

    def settings(self) -> Settings:
        """What the configuration file says. Raises ConfigError."""
        from waved import settings

        return settings.load(self.config or settings.find(), required=self.config is not None)

    def words(self) -> list[str]:
        """As a command line."""
        found = ["--on-stop", self.on_stop] if self.on_stop else []
        if self.config is not None:
            found += ["--config", str(self.config)]
        if self.log_file is not None:
            found += ["--log-file", str(self.log_file)]
        if self.idle_exit is not None:
            found += ["--idle-exit", f"{self.idle_exit:g}"]
        return found


def _require(configured: Settings) -> None:
    """Raises ConfigError, or what an import raises, when the configuration asks for what is not installed."""
    if configured.metrics.listen:
        import waved.telemetry.endpoint  # noqa: F401
    if configured.traces.endpoint:
        from waved.telemetry import exporter

        exporter.require()


def _as_options(locations: Locations) -> list[str]:
    return ["--state-dir", str(locations.state), "--runtime-dir", str(locations.runtime)]


def _end_leftovers(locations: Locations) -> None:
    """Raises ConflictError while a daemon runs: what its agents do is no leftover."""
    lock = _lock(locations.lock, handover.Inheritance()) if locations.state.exists() else -1
    found, left = leftovers.end(locations)
    if lock >= 0:
        os.close(lock)
    if found:
        click.echo(f"{found} run(s) went on without a daemon, and were ended")
    if left:
        raise ResourceError(f"still alive: {', '.join(left)}", "they are likely to hang in the kernel: look at `ps`")


def serve(
    locations: Locations, options: Options, ready: Callable[[str], None], inheritance: handover.Inheritance
) -> list[int] | None:
    """Run a daemon until it is told to stop. Raises a WavedError when it cannot start.

    Returns the descriptors to hand over when another version is to take its place, else None.
    """
    # Until we are ready: nothing of what is imported, or folded from a long journal, is garbage, and to look for some
    # takes a tenth of the time.
    gc.disable()
    faulthandler.enable()  # where a daemon hung that the watchdog ends is worth knowing
    set_process_name("waved")
    become_subreaper()
    _make_folders(locations)
    locks = [_lock(folder / "daemon.lock", inheritance) for folder in {locations.state, locations.runtime}]
    listener = inheritance.listener(locations.control_socket) or activation.take(locations.control_socket)
    inheritance.close()
    # The zygote imports what workers need while we import what the reactor needs.
    pool = Pool()
    pool.inherit(tree.children(os.getpid()))
    try:
        pool.start()
    except OSError as error:
        raise ResourceError(
            f"no process can be started: {error.strerror}", "free some, and start waved again"
        ) from None
    from waved import log
    from waved.domain.history import Retention
    from waved.ipc import access
    from waved.ipc.server import Server
    from waved.journal.store import Journal
    from waved.masking import Masks
    from waved.reactor.reactor import Reactor

    configured = options.settings()
    _require(configured)
    limit = _raise_descriptor_limit()
    masks = Masks()
    kept = configured.log
    file = options.log_file or (Path(kept.file) if kept.file else None)
    log.set_up(file, max_size=kept.max_size, keep=kept.keep, level=kept.level, masks=masks)
    journal = Journal(locations.journal)
    server = Server(locations.control_socket, listener, keep=activation.keeps(locations.control_socket))
    access.share(locations, configured.socket_group)
    reactor = Reactor(locations, journal, server, pool, Manager(), masks)
    reactor.shared = reactor.admission.shared = bool(configured.socket_group)
    if configured.listen:
        server.listen(configured.listen, reactor.keyring)
    reactor.retention = Retention(**configured.retention.model_dump())
    reactor.idle_exit = options.idle_exit
    reactor.command = [*handover.program(), *_as_options(locations), *options.words()]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stopper(reactor, options.on_stop or configured.on_stop))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    handover.signals_welcome()
    try:
        reactor.run(on_ready=lambda: _ready(reactor, configured, ready))
    finally:
        reactor.close()
        if not reactor.closing.gives_way:
            for lock in locks:
                os.close(lock)
    if not reactor.closing.gives_way:
        return None
    # Agents of the next version are to start with the limit that we were started with.
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    return [*locks, server.listener.fileno()]


def _ready(reactor: Reactor, configured: Settings, announce: Callable[[str], None]) -> None:
    from waved.domain import events as ev

    _observe(reactor, configured)
    started = ev.DaemonStarted("", version=__version__, pid=os.getpid(), adopted=reactor.pool.busy)
    reactor.note(started)
    gc.freeze()  # it is left out of later collections, too
    gc.enable()
    announce("ready")
    reactor.manager.ready()
    reactor.telling.tell_status()


def _observe(reactor: Reactor, configured: Settings) -> None:
    """Let others watch, as far as the configuration says."""
    if configured.metrics.listen:
        from waved.ipc.access import number_of
        from waved.settings import listen_at
        from waved.telemetry.endpoint import Endpoint

        listen, group = listen_at(configured.metrics.listen), number_of(configured.socket_group)
        reactor.observing.count(reactor, lambda ask: Endpoint(listen, ask, group))
    if configured.traces.endpoint:
        from waved.telemetry import exporter

        journal, cursor = reactor.journal, reactor.locations.state / exporter.CURSOR
        reactor.observing.trace(exporter.Exporter(journal.path, cursor, journal.last_seq, configured.traces.endpoint))


def _stopper(reactor: Reactor, mode: str) -> Callable[[int, object], None]:
    """A signal handler that only enqueues. When systemd is to start the service again, agents go on in any case."""

    def ask(name: str) -> None:
        restarting = mode == "stop" and job.kind_of_job() in job.STARTING_AGAIN
        reactor.inbox.put(lambda: reactor.closing.begin("detach" if restarting else mode, name))

    def handle(number: int, _frame: object) -> None:
        name = signal.Signals(number).name
        if job.VARIABLE in os.environ:
            reactor.inbox.put(lambda: reactor.closing.begin_after(lambda: ask(name)))
        else:
            reactor.inbox.put(lambda: reactor.closing.begin(mode, name))

    return handle


def _make_folders(locations: Locations) -> None:
    try:
        locations.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (locations.state / "sessions").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        hint = "set WAVED_STATE_DIR to a folder that can be written"
        raise NotAllowedError(f"cannot make {locations.state}: {error.strerror}", hint) from None
    make_private(locations.runtime)


def _lock(path: Path, inheritance: handover.Inheritance) -> int:
    """Hold `path` for this daemon alone. Raises ConflictError when another daemon does."""
    held = inheritance.file(path)
    if held is not None:
        return held
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotAllowedError(f"cannot open {path}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 64).decode(errors="replace").strip()
        os.close(fd)
        raise ConflictError(
            f"another waved (pid {holder or 'unknown'}) holds {path}", "`wavectl daemon status` shows it"
        ) from None
    with contextlib.suppress(OSError):  # on a full disk the lock itself holds all the same
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def _raise_descriptor_limit() -> tuple[int, int]:
    """A worker costs the daemon a descriptor. Agents keep the limit we were started with: the zygote has forked.

    Returns the limit there was.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard


if __name__ == "__main__":
    main()
