#!/usr/bin/env python3
"""Collectives between emulated racks (tests/support/lab): Unirack, planned and forced flat, beside
Open MPI, MPICH and Gloo, and beside what the rails can carry.

All contestants are there at once and sleep but for their turn: a block of each, in changing order,
as many rounds as asked. A time is the slowest rank's, the median of the rounds. `attainable` is
the least time in which the bytes that must leave a rack can leave it, at the payload rate that a
bare socket reaches over each rail in the same run. The data of all is checked exactly.

    scripts/racks.sh                 installs the peers, measures everything, writes table and plot
    perf/racks/racks.py --quick      a few minutes, with what is installed

Needs root and iproute2; exit code 77 where namespaces are not permitted.
"""
import argparse
import ctypes
import dataclasses
import json
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import contestants as field
import report

COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")
SKIPPED = 77
START_S = 60
ANSWER_S = 180
BLOCK_S = 0.25
ITERATIONS_MAX = 50
PROBE_S = 1.2


@dataclasses.dataclass
class Place:
    """Where the contestants of one configuration meet."""
    racks: int
    ranks: int  # a rack
    rails: int
    folder: pathlib.Path
    socket: pathlib.Path

    @property
    def rank_count(self):
        return self.racks * self.ranks


def parse_bytes(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def cut_bytes(collective, size, racks, ranks):
    """What must leave (and enter) each of `racks` equal racks at least; sizes as in nccl-tests."""
    total = racks * ranks
    if collective == "all_reduce":
        return 2 * size * (racks - 1) / racks
    if collective == "all_to_all":
        return ranks * (total - ranks) * (size / total)
    return size * (total - ranks) / total


# ---- the yardstick ---------------------------------------------------------------------------


def rail_rate(rail, seconds=PROBE_S):
    """Bytes per second of payload, both directions at once, the slower one."""
    probe = str(field.HERE / "probe.py")
    receivers, senders = [], []
    for rack in (0, 1):
        address = f"10.0.{rail}.{rack + 1}"
        receiver = subprocess.Popen(field.in_rack(rack, [sys.executable, probe, "receive", address]),
                                    stdout=subprocess.PIPE, text=True)
        port = receiver.stdout.readline().strip()
        receivers.append(receiver)
        senders.append(field.in_rack(1 - rack, [sys.executable, probe, "send", address, port,
                                                str(seconds)]))
    for sender in [subprocess.Popen(words) for words in senders]:
        sender.wait()
    return min(float(receiver.communicate(timeout=ANSWER_S)[0]) for receiver in receivers)


def rail_rates(rails, seconds):
    """The best of two looks at each: what else runs on the machine only takes away."""
    return [max(rail_rate(rail, seconds) for _ in range(2)) for rail in range(rails)]


class Predictor:
    """The simulator's word on the plans of Unirack, with rails as fast as a bare socket found."""

    def __init__(self, binary, place, rates):
        self.process = None
        if binary.exists():
            words = [place.racks, place.ranks, place.rails, round(sum(rates) / len(rates))]
            self.process = subprocess.Popen([str(binary), *map(str, words)], text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def annotate(self, collective, size, rows):
        """Adds predicted_s, or why there is none."""
        for name in report.OWN:
            if self.process is None or "plan" not in rows.get(name, {}):
                continue
            self.process.stdin.write(f"{collective} {size} {rows[name]['plan']}\n")
            self.process.stdin.flush()
            words = self.process.stdout.readline().split(maxsplit=1)
            if words and words[0] != "-":
                rows[name]["predicted_s"] = float(words[0])
            else:
                rows[name]["not_predicted"] = words[-1].strip() if words else "the simulator ended"

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


# ---- contestants in turn ---------------------------------------------------------------------


class Failed(Exception):
    pass


class Team:
    """The ranks of one contestant, connected and waiting."""

    def __init__(self, contestant, place):
        self.contestant, self.name = contestant, contestant.name
        self.log = open(place.folder / f"{self.name}.log", "w+")
        server = socket.socket(socket.AF_UNIX)
        place.socket.unlink(missing_ok=True)
        server.bind(str(place.socket))
        server.listen(place.rank_count)
        self.processes = [subprocess.Popen(words, stdout=self.log, stderr=self.log,
                                           stdin=subprocess.DEVNULL)
                          for words in contestant.command_lines(place)]
        self.ranks = [None] * place.rank_count
        deadline = time.monotonic() + START_S
        while None in self.ranks:
            server.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                connection = server.accept()[0]
            except TimeoutError:
                raise self.failure("its ranks did not come up") from None
            stream = connection.makefile("rw")
            self.ranks[int(stream.readline().split()[2])] = (connection, stream)
        server.close()

    def failure(self, why):
        self.log.seek(0)
        return Failed(f"{self.name}: {why}: {self.log.read().strip()[-300:]}")

    def ask(self, command, expected):
        """The answers of all ranks, in order."""
        for connection, _ in self.ranks:
            connection.sendall(command.encode() + b"\n")
        answers = []
        for connection, stream in self.ranks:
            connection.settimeout(ANSWER_S)
            try:
                words = stream.readline().split(maxsplit=1)
            except TimeoutError:
                raise self.failure(f"no answer to {command}") from None
            if not words or words[0] != expected:
                raise self.failure(" ".join(words) or f"a rank died in {command}")
            answers.append(words[1].strip() if len(words) > 1 else "")
        return answers

    def check(self, collective, size):
        return sum(int(wrong) for wrong in self.ask(f"check {collective} {size}", "wrong"))

    def time(self, collective, size, iterations):
        return max(map(float, self.ask(f"run {collective} {size} {iterations}", "took")))

    def plan(self):
        return self.ask("explain", "plan")[0]

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


def measure(teams, collective, size, rounds):
    """{name: {median_s, low_s, high_s, times_s, wrong, plan}} or {name: {failed}}; who fails is out
    of the rest of the run too."""
    rows, iterations = {}, {}

    def attempt(team, action):
        try:
            return action()
        except Failed as error:
            rows[team.name] = {"failed": str(error)}
            teams.remove(team)
            team.close()
            return None

    for team in list(teams):
        wrong = attempt(team, lambda: team.check(collective, size))
        once = None if wrong is None else attempt(team, lambda: team.time(collective, size, 1))
        if once is None:
            continue
        rows[team.name] = {"wrong": wrong, "plan": team.plan(), "times_s": []}
        iterations[team.name] = max(1, min(ITERATIONS_MAX, round(BLOCK_S / once)))
    for number in range(rounds):
        turn = number % max(1, len(teams))
        for team in teams[turn:] + teams[:turn]:
            took = attempt(team, lambda: team.time(collective, size, iterations[team.name]))
            if took is not None:
                rows[team.name]["times_s"].append(took)
    for row in rows.values():
        if times := row.get("times_s"):
            row |= {"median_s": statistics.median(times), "low_s": min(times), "high_s": max(times)}
    return rows


def inside(options):
    """In the lab: one configuration, whose results go to a file."""
    with tempfile.TemporaryDirectory(prefix="unirack-racks-") as folder:
        folder = pathlib.Path(folder)
        place = Place(options.racks, options.ranks, options.rails, folder, folder / "socket")
        rates = rail_rates(options.rails, options.probe_s)
        predictor = Predictor(options.build / "racks_predict", place, rates)
        teams, absent = [], {}
        for contestant in field.contestants(options.build, options.out / "bin", options.only):
            if contestant.binary is None:
                absent[contestant.name] = contestant.why
                continue
            try:
                teams.append(Team(contestant, place))
            except Failed as error:
                absent[contestant.name] = str(error)
        results = []
        settings = {team.name: team.contestant.settings for team in teams}
        for collective in options.collectives:
            for size in options.sizes:
                rows = measure(teams, collective, size, options.rounds)
                predictor.annotate(collective, size, rows)
                attainable = cut_bytes(collective, size, place.racks, place.ranks) / sum(rates)
                results.append({"collective": collective, "size": size,
                                "attainable_s": attainable, "contestants": rows})
                report.print_row(results[-1])
        predictor.close()
        for team in teams:
            team.close()
        options.result.write_text(json.dumps({
            "racks": place.racks, "ranks": place.ranks, "rails": place.rails, "rate": options.rate,
            "rail_bytes_per_s": rates, "settings": settings, "absent": absent, "rounds":
            options.rounds, "results": results}, indent=1))
    return 0


# ---- all configurations ----------------------------------------------------------------------


def end_with_parent():
    """In a child that is about to start: SIGTERM when we end, however we do."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def lab_run(options, shape, rate, rails):
    racks, ranks = shape
    result = options.out / f"{racks}x{ranks}-{rate}-{rails}.json"
    words = [sys.executable, str(field.LAB), "run", "--racks", str(racks), "--rails", str(rails),
             "--rate", rate, "--", sys.executable, __file__, "--inside", "--racks", str(racks),
             "--ranks", str(ranks), "--rails", str(rails), "--rate", rate, "--build",
             str(options.build), "--out", str(options.out), "--result", str(result),
             "--rounds", str(options.rounds), "--probe-s", str(options.probe_s), "--collectives", ",".join(options.collectives),
             "--sizes", ",".join(map(str, options.sizes))]
    if options.only:
        words += ["--only", ",".join(options.only)]
    print(f"\n# {racks} racks of {ranks} ranks, {rails} rail{'s'[:rails > 1]} of {rate}", flush=True)
    report.print_header()
    if subprocess.run(words, preexec_fn=end_with_parent).returncode != 0:
        raise SystemExit(f"the run of {result.stem} failed")
    return json.loads(result.read_text())


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda text: text.split(",")  # noqa: E731
    shapes = lambda text: [tuple(map(int, each.split("x"))) for each in text.split(",")]  # noqa: E731
    parser.add_argument("--build", default=field.ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--out", default=field.ROOT / "build/racks", type=pathlib.Path)
    parser.add_argument("--shapes", type=shapes, default=[(2, 2), (4, 2)],
                        help="racks x ranks (default 2x2,4x2)")
    parser.add_argument("--rates", type=listed, default=["200mbit", "1gbit"])
    parser.add_argument("--rail-counts", type=lambda text: [int(each) for each in text.split(",")],
                        default=[1, 2])
    parser.add_argument("--collectives", type=listed, default=list(COLLECTIVES))
    parser.add_argument("--sizes", type=lambda text: [parse_bytes(each) for each in text.split(",")],
                        default=[1 << 20, 16 << 20], help="such as 1M,16M,64M (default 1M,16M)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--probe-s", type=float, default=PROBE_S,
                        help="seconds that a bare socket is given to show what a rail carries")
    parser.add_argument("--only", type=listed, help="contestants, such as unirack,openmpi")
    parser.add_argument("--quick", action="store_true", help="2x2, 1gbit, 16M, 3 rounds")
    parser.add_argument("--json", type=pathlib.Path, help="default OUT/racks.json")
    parser.add_argument("--plot", type=pathlib.Path, help="default OUT/racks.svg")
    for hidden in ("--inside",):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--racks", "--ranks", "--rails"):
        parser.add_argument(hidden, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rate", help=argparse.SUPPRESS)
    parser.add_argument("--result", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.build, options.out = options.build.resolve(), options.out.resolve()
    if options.quick:
        options.shapes, options.rates = [(2, 2)], ["1gbit"]
        options.sizes, options.rounds = [16 << 20], 3
    return options


def main(arguments):
    options = parse(arguments)
    if options.inside:
        return inside(options)
    if (status := subprocess.run([sys.executable, str(field.LAB), "check"]).returncode) != 0:
        return status
    options.out.mkdir(parents=True, exist_ok=True)
    runs = [lab_run(options, shape, rate, rails) for shape in options.shapes
            for rate in options.rates for rails in options.rail_counts]
    report.print_summary(runs)
    (options.json or options.out / "racks.json").write_text(
        json.dumps({"schema": 1, "runs": runs}, indent=1) + "\n")
    (options.out / "racks.md").write_text(report.markdown(runs))
    (options.plot or options.out / "racks.svg").write_text(report.plot(runs))
    return 1 if report.wrong(runs) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
