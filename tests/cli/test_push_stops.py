"""`longhaul push` that is stopped: by a kill, a signal, a server or a network that goes."""

import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from fake_run import LONG, Job
from pushed import check, job, push, server, table, until, waits_for_a_lock


class FrozenNetwork:
    """A way to the server on which, once it is frozen, nothing comes or goes and nothing ends."""

    def __init__(self, port):
        self.frozen = threading.Event()
        self.port, self.sockets = port, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def uri(self):
        return f"postgresql://postgres@127.0.0.1:{self.listening.getsockname()[1]}/postgres"

    def accept(self):
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            self.sockets.append(near)
            if not self.frozen.is_set():
                far = socket.create_connection(("127.0.0.1", self.port))
                self.sockets.append(far)
                for one, other in [(near, far), (far, near)]:
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        try:
            while data := one.recv(1 << 16):
                if self.frozen.is_set():
                    return
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def end(self):
        for one in [self.listening, *self.sockets]:
            one.close()


@pytest.fixture
def network(server):
    made = FrozenNetwork(server.port())
    yield made
    made.end()


def test_killed_at_any_moment_the_same_command_succeeds(longhaul_fake, server, table, tmp_path):
    job = Job(longhaul_fake, tmp_path, 3000, window=4096, commit_every="5s", dimension=256)
    out = tmp_path / "out"
    job.finish(out)
    command = [longhaul_fake.path, "push", out, "--to", server.uri(), "--batch-rows", "50"]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - started
    chance = random.Random(7)
    killed = partial = 0
    for _ in range(30 if LONG else 10):
        server.run("DROP TABLE IF EXISTS embeddings")
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        # The server ends what a client left before the next one is served.
        while server.run("SELECT 1 FROM pg_stat_activity WHERE application_name = 'longhaul'"):
            time.sleep(0.01)
        if server.run("SELECT to_regclass('embeddings')") != [(None,)]:
            rows = server.run("SELECT count(*) FROM embeddings")[0][0]
            partial += 0 < rows < 2000
            assert rows % 50 == 0 or rows > 2000
        subprocess.run(command, check=True, capture_output=True)
        check(server, out)
    assert killed > 0 and partial > 0


def test_a_signal_and_a_lost_server_leave_whole_batches(longhaul_fake, server, table, tmp_path):
    job = Job(longhaul_fake, tmp_path, 700)
    out = tmp_path / "out"
    job.finish(out)
    command = [longhaul_fake.path, "push", out, "--to", server.uri(), "--batch-rows", "100"]
    push(longhaul_fake, server, out)
    server.run("DELETE FROM embeddings WHERE row_number > 350")
    there = server.run("SELECT count(*) FROM embeddings")[0][0]
    # The push waits for a lock in the middle of its work.
    for ends, code in [(lambda process: process.send_signal(signal.SIGTERM), 75),
                       (lambda process: server.run(
                           "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                           "application_name = 'longhaul'"), 69)]:
        with server.connect() as other:
            other.execute("BEGIN")
            other.execute("LOCK TABLE embeddings IN SHARE MODE")
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            while not server.run("SELECT 1 FROM pg_stat_activity WHERE application_name = "
                                 "'longhaul' AND wait_event_type = 'Lock'"):
                assert process.poll() is None
                time.sleep(0.01)
            ends(process)
            message = process.stderr.read()
            assert process.wait() == code, message
            assert "the same command goes on" in message
            other.execute("ROLLBACK")
        assert server.run("SELECT count(*) FROM embeddings")[0][0] == there
    push(longhaul_fake, server, out)
    check(server, out)


def test_a_stop_is_heard_where_the_network_is_dead(longhaul_fake, server, job, table, network):
    push(longhaul_fake, server, job.out)
    server.run("DELETE FROM embeddings")
    with server.connect() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE embeddings IN SHARE MODE")
        process = subprocess.Popen([longhaul_fake.path, "push", job.out, "--to", network.uri()],
                                   stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "PGPASSWORD": "sesame"})
        until(lambda: waits_for_a_lock(server), process)
        network.frozen.set()
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(timeout=100) == 75
        finally:
            process.kill()
        assert "the same command goes on" in process.stderr.read()
        other.execute("ROLLBACK")
    network.end()
    while server.run("SELECT 1 FROM pg_stat_activity WHERE application_name = 'longhaul'"):
        time.sleep(0.01)
    assert server.run("SELECT count(*) FROM embeddings") == [(0,)]


def test_a_stop_is_heard_while_no_server_answers(longhaul_fake, job, network):
    network.frozen.set()
    process = subprocess.Popen([longhaul_fake.path, "push", job.out, "--to", network.uri()],
                               stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PGCONNECT_TIMEOUT": "0"})
    until(lambda: network.sockets, process)
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(timeout=100) == 75
    finally:
        process.kill()
    assert "the same command" in process.stderr.read()
