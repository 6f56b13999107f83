#!/usr/bin/env python3
"""Racks on one machine: network namespaces joined by one switch a rail, each link shaped.

    lab.py run --racks 2 --rails 2 --rate 200mbit -- COMMAND...   COMMAND stands beside the racks
    lab.py enter RACK COMMAND...                                  inside run: a host of that rack
    lab.py link RACK RAIL up|down                                 inside run: pulls a cable
    lab.py check                                                  exit 77 and why, where it cannot work

Rack r, host name rack<r>, reaches rail l as rail<l> with address 10.0.<l>.<r+1>. Processes of one
rack share memory (it has a /dev/shm and an IPC namespace of its own); those of different racks only
meet over the rails.
A rail carries `rate` in either direction of a rack's port, in two classes: what a socket sends
with SO_PRIORITY of 4 or more comes before the rest, which keeps a tenth. Hosts use TCP's `reno`, whatever
the machine does.

All of it lives in a process, mount and network namespace of this run, and has no name outside.
The kernel takes it down when the run's first process dies, and that one dies with lab.py, however
lab.py ends: nothing can be left over, nothing else is ever touched, and no packet leaves.
Needs root and iproute2.
"""
import argparse
import ctypes
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import threading

SKIPPED = 77
RACKS_MAX = 16
RAILS_MAX = 4
INSIDE = "UNIRACK_LAB_INSIDE"
HOME = pathlib.Path("/run/lab")
PRIORITY_CLASS, DEFAULT_CLASS = "1:10", "1:20"
URGENT = 4  # the least SO_PRIORITY of the first class
QUEUE_MS = 20  # of a switch's port, at its rate
# Of a host: all that its TCP, which holds back on its own, may have handed down. What a host's own
# queue refuses waits for 200 ms and more.
HOST_QUEUE_BYTES = 32 << 20
CONGESTION_CONTROL = "reno"  # what every namespace of every kernel may use


class LabError(Exception):
    pass


def call(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")


def tc(text):
    call("tc", *text.split())


def rack_name(rack):
    return f"rack{rack}"


def port_name(rack, rail):
    """Of the switch's end of a cable."""
    return f"port{rack}r{rail}"


def rail_address(rack, rail):
    return f"10.0.{rail}.{rack + 1}"


def bits_per_second(text):
    match = re.fullmatch(r"(\d+)(k|m|g)bit", text)
    if not match:
        raise LabError(f"{text}: expected a rate such as 200mbit or 1gbit")
    return int(match[1]) * {"k": 10**3, "m": 10**6, "g": 10**9}[match[2]]


# ---- service levels --------------------------------------------------------------------------


def priority_program():
    """eBPF: the class for a packet's priority. tc has no filter for it in every kernel."""

    def instruction(code, target=0, source=0, offset=0, value=0):
        return struct.pack("<BBhi", code, target | source << 4, offset, value)

    def class_id(text):
        major, minor = text.split(":")
        return int(major, 16) << 16 | int(minor, 16)

    priority_offset = 32  # in struct __sk_buff
    return b"".join((
        instruction(0x61, 2, 1, priority_offset),  # r2 = *(u32 *)(r1 + 32)
        instruction(0xB7, 0, value=class_id(DEFAULT_CLASS)),  # r0 = class
        instruction(0xA5, 2, offset=1, value=URGENT),  # if r2 < 4 skip one
        instruction(0xB7, 0, value=class_id(PRIORITY_CLASS)),
        instruction(0x95),  # return r0
    ))


def pin_priority_program(where):
    """Loads the program and gives it a name that tc can find."""
    load, pin, classifier, system_call = 5, 6, 3, 321  # bpf(2) on x86-64
    library = ctypes.CDLL(None, use_errno=True)
    code, licence = priority_program(), b"GPL\0"
    code_at = ctypes.create_string_buffer(code, len(code))
    licence_at = ctypes.create_string_buffer(licence, len(licence))

    def bpf(command, attributes):
        block = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
        result = library.syscall(system_call, command, block, 128)
        if result < 0:
            raise LabError(f"bpf: {os.strerror(ctypes.get_errno())}")
        return result

    program = bpf(load, struct.pack("<IIQQ", classifier, len(code) // 8,
                                    ctypes.addressof(code_at), ctypes.addressof(licence_at)))
    path = ctypes.create_string_buffer(str(where).encode())
    bpf(pin, struct.pack("<QI", ctypes.addressof(path), program))
    os.close(program)


def shape(device, rate_bits, queue_bytes):
    """Both classes may use the whole rate; only who comes first differs."""
    guaranteed = rate_bits * 9 // 10
    tc(f"qdisc add dev {device} root handle 1: htb default 20")
    tc(f"class add dev {device} parent 1: classid 1:1 htb rate {rate_bits}bit burst 16k cburst 16k")
    for class_id, least, rank in ((PRIORITY_CLASS, guaranteed, 0),
                                  (DEFAULT_CLASS, rate_bits - guaranteed, 1)):
        tc(f"class add dev {device} parent 1:1 classid {class_id} htb rate {least}bit "
           f"ceil {rate_bits}bit burst 16k cburst 16k prio {rank} quantum 60000")
        handle = class_id.split(":")[1]
        tc(f"qdisc add dev {device} parent {class_id} handle {handle}: bfifo limit {queue_bytes}")
    tc(f"filter add dev {device} parent 1: bpf object-pinned {HOME}/bpf/priority")


# ---- the lab, from inside --------------------------------------------------------------------


def build(racks, rails, rate_bits):
    HOME.mkdir()
    (HOME / "bpf").mkdir()
    call("mount", "-t", "bpf", "bpf", str(HOME / "bpf"))
    pin_priority_program(HOME / "bpf/priority")
    hosts = [f"{rail_address(rack, 0)} {rack_name(rack)}" for rack in range(racks)]
    (HOME / "hosts").write_text("\n".join(["127.0.0.1 localhost", *hosts]) + "\n")
    call("ip", "link", "set", "lo", "up")
    for rail in range(rails):
        call("ip", "link", "add", f"switch{rail}", "type", "bridge")
        call("ip", "link", "set", f"switch{rail}", "up")
    for rack in range(racks):
        open_rack(rack)
        for rail in range(rails):
            plug(rack, rail, rate_bits)


def open_rack(rack):
    """A process that does nothing holds the rack's namespaces."""
    setup = (f"hostname {rack_name(rack)} && mount -t sysfs sysfs /sys && "
             "mount -t tmpfs -o size=4g,mode=1777 tmpfs /dev/shm && "
             f"mount --bind {HOME}/hosts /etc/hosts && ip link set lo up && "
             f"echo {CONGESTION_CONTROL} > /proc/sys/net/ipv4/tcp_congestion_control && "
             "echo ready && exec sleep infinity")
    holder = subprocess.Popen(["unshare", "--net", "--uts", "--ipc", "--mount", "sh", "-c", setup],
                              stdout=subprocess.PIPE, text=True)
    if holder.stdout.readline() != "ready\n":
        raise LabError(f"{rack_name(rack)} could not be opened")
    (HOME / rack_name(rack)).write_text(str(holder.pid))


def plug(rack, rail, rate_bits):
    port, device = port_name(rack, rail), f"rail{rail}"
    call("ip", "link", "add", port, "type", "veth", "peer", "name", device)
    call("ip", "link", "set", device, "netns", holder_of(rack))
    call("ip", "link", "set", port, "master", f"switch{rail}", "up")
    shape(port, rate_bits, max(64 * 1024, rate_bits // 8 * QUEUE_MS // 1000))
    enter(rack, [sys.executable, __file__, "shape", device, str(rate_bits)])
    enter(rack, ["ip", "addr", "add", f"{rail_address(rack, rail)}/24", "dev", device])
    enter(rack, ["ip", "link", "set", device, "up"])


def holder_of(rack):
    return (HOME / rack_name(rack)).read_text()


def entered(rack, command):
    """The command line that runs `command` on a host of the rack."""
    return ["nsenter", "--target", holder_of(rack), "--net", "--uts", "--ipc", "--mount",
            f"--wdns={os.getcwd()}", "--", *command]


def enter(rack, command):
    call(*entered(rack, command))


def set_link(rack, rail, state):
    """Takes the carrier away from the rack's rail, or gives it back."""
    call("ip", "link", "set", port_name(rack, rail), state)


def end_with(lifeline):
    """The other end is held by lab.py outside alone, so the kernel closes it when that ends."""
    os.read(lifeline, 1)
    os._exit(1)


def inside(options):
    """The first process of the run: builds, runs the command, and reaps what is orphaned."""
    threading.Thread(target=end_with, args=(options.lifeline,), daemon=True).start()
    call("mount", "-t", "tmpfs", "tmpfs", "/run")
    build(options.racks, options.rails, bits_per_second(options.rate))
    # lab.py outside ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment = dict(os.environ, **{INSIDE: f"{options.racks} {options.rails} {options.rate}"})
    command = subprocess.Popen(options.command, env=environment)
    while True:
        pid, status = os.wait()
        if pid == command.pid:
            return os.waitstatus_to_exitcode(status)


# ---- from outside ----------------------------------------------------------------------------


def why_not():
    """Why no lab can stand here; None if one can."""
    if os.geteuid() != 0:
        return "needs root"
    for tool in ("ip", "tc", "unshare", "nsenter"):
        if not any(os.access(f"{folder}/{tool}", os.X_OK)
                   for folder in os.environ.get("PATH", "").split(":")):
            return f"needs {tool}"
    probe = subprocess.run([sys.executable, __file__, "run", "--racks", "1", "--", "true"],
                           capture_output=True, text=True)
    return None if probe.returncode == 0 else probe.stderr.strip().splitlines()[-1]


def run(options):
    """Starts the run's first process, which ends with this one, and waits for it."""
    lifeline, held = os.pipe()
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc",
             sys.executable, __file__, "inside", "--lifeline", str(lifeline), "--racks", str(options.racks), "--rails", str(options.rails), "--rate", options.rate,
             "--", *options.command]
    outer = subprocess.Popen(words, pass_fds=(lifeline,))
    os.close(lifeline)

    ended_by = []

    def stop(number, _frame):
        if not ended_by:
            os.close(held)
        ended_by.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    status = outer.wait()
    if ended_by:
        return 128 + ended_by[0]
    return status if status >= 0 else 128 - status


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("run", "inside"):
        sub = verbs.add_parser(verb)
        sub.add_argument("--racks", type=int, default=2, choices=range(1, RACKS_MAX + 1))
        sub.add_argument("--rails", type=int, default=1, choices=range(1, RAILS_MAX + 1))
        sub.add_argument("--rate", default="200mbit")
        sub.add_argument("command", nargs=argparse.REMAINDER)
        if verb == "inside":
            sub.add_argument("--lifeline", type=int, required=True)
    sub = verbs.add_parser("enter")
    sub.add_argument("rack", type=lambda text: int(text.removeprefix("rack")))
    sub.add_argument("command", nargs=argparse.REMAINDER)
    sub = verbs.add_parser("link")
    sub.add_argument("rack", type=int)
    sub.add_argument("rail", type=int)
    sub.add_argument("state", choices=("up", "down"))
    sub = verbs.add_parser("shape")
    sub.add_argument("device")
    sub.add_argument("rate_bits", type=int)
    verbs.add_parser("check")
    options = parser.parse_args(arguments)
    if getattr(options, "command", None) and options.command[0] == "--":
        options.command = options.command[1:]
    if options.verb in ("run", "inside", "enter") and not options.command:
        parser.error("a command is missing")
    return options


def main(arguments):
    options = parse(arguments)
    if options.verb == "run":
        return run(options)
    if options.verb == "inside":
        return inside(options)
    if options.verb == "check":
        reason = why_not()
        if reason is None:
            return 0
        print(f"no lab: {reason}", file=sys.stderr)
        return SKIPPED
    if options.verb == "shape":
        shape(options.device, options.rate_bits, HOST_QUEUE_BYTES)
    elif options.verb == "link":
        set_link(options.rack, options.rail, options.state)
    else:
        words = entered(options.rack, options.command)
        os.execvp(words[0], words)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(1)
