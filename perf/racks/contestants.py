"""Who is measured in the racks lab, with which settings, and how their ranks are started."""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "tests/support/lab/lab.py"
HERE = pathlib.Path(__file__).resolve().parent
FLAT = "all_reduce:two_shot,all_gather:direct,reduce_scatter:direct,all_to_all:pairwise"
SECRET = "5" * 64
RENDEZVOUS_PORT = 29500


def in_rack(rack, command):
    return [sys.executable, str(LAB), "enter", str(rack), *command]


class Contestant:
    """`settings` is what the report says; `binary` is None where it cannot take part, for `why`."""

    name = ""
    settings = ""

    def __init__(self, name, settings, binary, why=""):
        self.name, self.settings, self.binary, self.why = name, settings, binary, why

    def command_lines(self, at):
        """[command] to be started in parallel; `at` says where: socket, racks, ranks, rails,
        folder. Every rank then runs `binary SOCKET NAME ...`."""
        raise NotImplementedError


class Unirack(Contestant):
    def __init__(self, name, binary, flat=False):
        super().__init__(name, f"UNIRACK_ALGORITHM={FLAT}" if flat else "defaults", binary,
                         "not built: cmake --build --target racks_unirack_worker")
        self.flat = flat

    def command_lines(self, at):
        secret = at.folder / f"{self.name}.secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        port = RENDEZVOUS_PORT + (1 if self.flat else 0)
        lines = []
        for rank in range(at.rank_count):
            rack = rank // at.ranks
            words = [f"UNIRACK_RENDEZVOUS=10.0.0.1:{port}", f"UNIRACK_SECRET_FILE={secret}",
                     f"UNIRACK_RANK={rank}", f"UNIRACK_RANK_COUNT={at.rank_count}",
                     f"UNIRACK_DOMAIN=rack{rack}",
                     # Shaped links look alike, so what was measured on others must not be found.
                     f"XDG_CACHE_HOME={at.folder / 'cache'}"]
            if self.flat:
                words.append(f"UNIRACK_ALGORITHM={FLAT}")
            lines.append(in_rack(rack, ["env", *words, str(self.binary), str(at.socket), self.name]))
        return lines


class Launched(Contestant):
    """Started by a launcher that believes to reach the racks by ssh."""

    def agent(self, at):
        """A stand-in for ssh: options, host, command."""
        script = at.folder / "agent"
        script.write_text("#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do shift; done\nhost=$1\nshift\n"
                          f"exec {sys.executable} {LAB} enter \"$host\" sh -c \"$*\"\n")
        script.chmod(0o755)
        return script


class OpenMpi(Launched):
    """FAQ "tcp": every interface by name, connections striped over them; HAN is its collective
    component for clusters of multi-rank nodes."""

    def __init__(self, name, binary, why, han=False):
        super().__init__(name, "ob1, btl self,vader,tcp over all rails" + (", han" if han else ""),
                         binary, why)
        self.han = han

    def command_lines(self, at):
        rails = ",".join(f"rail{rail}" for rail in range(at.rails))
        options = {"plm_rsh_agent": self.agent(at), "oob_tcp_if_include": "rail0", "pml": "ob1",
                   "btl": "self,vader,tcp", "btl_tcp_if_include": rails,
                   "mpi_yield_when_idle": 1, "orte_tmpdir_base": at.folder}
        if self.han:
            options["coll_han_priority"] = 100
        words = [word for key, value in options.items() for word in ("--mca", key, str(value))]
        hosts = ",".join(f"rack{rack}:{at.ranks}" for rack in range(at.racks))
        return [in_rack(0, ["mpirun.openmpi", "--allow-run-as-root", "--bind-to", "none",
                            "--host", hosts, "-np", str(at.rank_count), *words,
                            str(self.binary), str(at.socket), self.name])]


class Mpich(Launched):
    """Debian builds it with UCX, which stripes large messages over at most UCX_MAX_RNDV_RAILS."""

    def __init__(self, binary, why):
        super().__init__("mpich", "ch4:ucx, tcp over all rails, UCX_MAX_RNDV_RAILS=rails", binary,
                         why)

    def command_lines(self, at):
        rails = ",".join(f"rail{rail}" for rail in range(at.rails))
        words = {"UCX_NET_DEVICES": rails, "UCX_TLS": "self,sm,tcp",
                 "UCX_MAX_RNDV_RAILS": at.rails, "UCX_MAX_EAGER_RAILS": at.rails}
        environment = [word for key, value in words.items()
                       for word in ("-genv", key, str(value))]
        hosts = ",".join(f"rack{rack}:{at.ranks}" for rack in range(at.racks))
        return [in_rack(0, ["mpiexec.mpich", "-launcher", "ssh", "-launcher-exec",
                            str(self.agent(at)), "-iface", "rail0", "-hosts", hosts,
                            "-n", str(at.rank_count), *environment,
                            str(self.binary), str(at.socket), self.name])]


class Gloo(Contestant):
    """One operation of Gloo uses one interface: torch's list of interfaces takes turns between
    operations, which does not help a caller that waits for each."""

    def __init__(self, binary, why):
        super().__init__("gloo", "tcp over rail0", binary, why)

    def command_lines(self, at):
        store = at.folder / "gloo"
        store.mkdir()
        return [in_rack(rank // at.ranks,
                        [str(self.binary), str(at.socket), self.name, "rail0", str(rank),
                         str(at.rank_count), str(store)]) for rank in range(at.rank_count)]


# ---- building --------------------------------------------------------------------------------


def compiled(source, compiler, folder, *options):
    """(binary, why not)."""
    if shutil.which(compiler) is None:
        return None, f"{compiler} is not installed"
    binary = folder / f"{source.stem}-{compiler.split('.')[-1]}"
    if binary.exists() and binary.stat().st_mtime > max(
            source.stat().st_mtime, (HERE / "worker.h").stat().st_mtime):
        return binary, ""
    done = subprocess.run([compiler, "-std=gnu++20", "-O2", f"-I{ROOT}", "-o", str(binary),
                           str(source), *options], capture_output=True, text=True)
    return (binary, "") if done.returncode == 0 else (None, done.stderr.strip()[-400:])


def contestants(build, folder, only):
    """All there are, or those named; those without a binary say why."""
    folder.mkdir(parents=True, exist_ok=True)
    own = pathlib.Path(build) / "racks_unirack_worker"
    own = own if os.access(own, os.X_OK) else None
    mpi = HERE / "mpi_worker.cc"

    def gloo():
        return compiled(HERE / "gloo_worker.cc", "g++", folder, "-w", "-lgloo", "-lhiredis",
                        "-pthread")

    field = {
        "unirack": lambda: Unirack("unirack", own),
        "unirack_flat": lambda: Unirack("unirack_flat", own, flat=True),
        "openmpi": lambda: OpenMpi("openmpi", *compiled(mpi, "mpicxx.openmpi", folder)),
        "openmpi_han": lambda: OpenMpi("openmpi_han", *compiled(mpi, "mpicxx.openmpi", folder),
                                       han=True),
        "mpich": lambda: Mpich(*compiled(mpi, "mpicxx.mpich", folder)),
        "gloo": lambda: Gloo(*gloo())}
    return [make() for name, make in field.items() if not only or name in only]
