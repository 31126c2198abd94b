"""A real Slurm of two nodes on this machine: everything it writes is in one folder, it is found by
SLURM_CONF, and by programs that do not look there in a mount namespace of its own, and it is stopped by the process ids that it wrote there. Needs root and the
packages slurmctld, slurmd, slurm-client and munge."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PROGRAMS = ["slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "munged"]
NODES = ["n1", "n2"]

CONFIGURATION = """\
ClusterName=longhaul
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldPort={port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
MpiDefault=none
KillWait=5
SlurmdTimeout=10
MinJobAge=600
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobcomp.txt
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
"""
NODE = ("NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 Sockets=1 "
        "CoresPerSocket=1 ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN\n")


def why_not():
    """Why there can be none here; empty where there can."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"Slurm is not installed: no {', '.join(missing)}"
    return "" if os.getuid() == 0 else "Slurm's daemons start as root"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return value


def pid_in(path):
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text.isdigit() else None


def is_there(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.inside, self.space = [], None
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"),
                            "MUNGE_SOCKET": str(folder / "munge/socket")}
        self.host = socket.gethostname().split(".")[0]

    def run(self, *command, check=True):
        done = subprocess.run([*self.inside, *map(str, command)], env=self.environment, capture_output=True,
                              text=True, check=False)
        assert not check or done.returncode == 0, done
        return done.stdout.strip()

    def enter_space(self):
        """A mount namespace, where /etc/slurm is this cluster's: some programs look only there."""
        (self.folder / "etc").mkdir()
        (self.folder / "etc/slurm.conf").symlink_to(self.folder / "slurm.conf")
        self.space = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             'mount --bind "$1" /etc/slurm && echo ready && exec sleep infinity', "sh",
             self.folder / "etc"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.space.stdout.readline() == "ready\n":
            self.inside = ["nsenter", "-m", "-t", str(self.space.pid)]

    def start(self):
        self.enter_space()
        for name in ("munge", "state"):
            (self.folder / name).mkdir(mode=0o700)
        self.folder.chmod(0o755)
        munge = self.folder / "munge"
        munge.chmod(0o755)
        (munge / "key").write_bytes(os.urandom(1024))
        (munge / "key").chmod(0o400)
        self.run("munged", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket",
                 f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed")
        port, *node_ports = free_ports(1 + len(NODES))
        text = CONFIGURATION.format(host=self.host, folder=self.folder, port=port)
        partition = text.index("PartitionName")
        nodes = "".join(NODE.format(name=name, host=self.host, port=number)
                        for name, number in zip(NODES, node_ports))
        (self.folder / "slurm.conf").write_text(text[:partition] + nodes + text[partition:])
        self.run("slurmctld", "-c", "-f", self.folder / "slurm.conf")
        for name in NODES:
            self.start_node(name)
        wait_for(lambda: self.node_states() == ["idle"] * len(NODES), 30, "idle nodes")

    def start_node(self, name):
        (self.folder / f"spool.{name}").mkdir(exist_ok=True)
        self.run("slurmd", "-N", name, "-f", self.folder / "slurm.conf")

    def node_states(self):
        return self.run("sinfo", "-h", "-N", "-o", "%T", check=False).split()

    def submit(self, *arguments):
        return self.run("sbatch", "--parsable", *arguments).split(";")[0]

    def states(self, job):
        """Of each task: {"1_2": ("RUNNING", "n1")}."""
        text = self.run("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%i %T %N",
                        check=False)
        rows = [line.split(" ") for line in text.splitlines()]
        return {row[0]: (row[1], row[2] if len(row) > 2 else "") for row in rows}

    def kill_node(self, name, program):
        """As a power failure would: its daemon, what that started for a job, and the job."""
        os.kill(pid_in(self.folder / f"slurmd.{name}.pid"), signal.SIGKILL)
        killed = 0
        for pid in self.processes_of(name):
            parent = int((pathlib.Path("/proc") / str(pid) / "stat").read_text()
                         .rsplit(")", 1)[1].split()[1])
            words = pathlib.Path(f"/proc/{parent}/cmdline").read_bytes()
            if words.startswith(b"slurmstepd"):
                os.kill(parent, signal.SIGKILL)
            killed += program in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            os.kill(pid, signal.SIGKILL)
        return killed

    def processes_of(self, node):
        """Of jobs of this cluster, by their environment."""
        mine = [f"SLURM_CONF={self.folder}/slurm.conf".encode(), f"SLURMD_NODENAME={node}".encode()]
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                variables = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if all(one in variables for one in mine):
                found.append(int(path.parent.name))
        return found

    def stop(self):
        pids = [pid_in(path) for path in [*self.folder.glob("slurmd.*.pid"),
                                          self.folder / "slurmctld.pid", self.folder / "munge/pid"]]
        for node in NODES:
            pids += self.processes_of(node)
        for pid in filter(None, pids):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        end = time.monotonic() + 10
        while any(pid and is_there(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.1)
        for pid in filter(None, pids):
            if is_there(pid):
                os.kill(pid, signal.SIGKILL)
        if self.space:
            self.space.kill()
            self.space.wait()
            self.space.stdout.close()
