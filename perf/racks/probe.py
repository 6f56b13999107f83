"""What a bare socket carries over a rail: the yardstick of perf/racks.

    probe.py receive ADDRESS     prints its port, then bytes per second
    probe.py send ADDRESS PORT SECONDS
"""
import socket
import sys
import time

CHUNK_BYTES = 1 << 20
SETTLE_S = 0.2  # while the connection finds its rate


def receive(address):
    with socket.create_server((address, 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
    buffer = bytearray(CHUNK_BYTES)
    started, counted, since = time.monotonic(), 0, None
    while count := connection.recv_into(buffer):
        at = time.monotonic()
        if since is None and at - started > SETTLE_S:
            since = at
        elif since is not None:
            counted += count
    print(counted / (at - since))


def send(address, port, seconds):
    with socket.create_connection((address, port)) as connection:
        chunk, end = bytes(CHUNK_BYTES), time.monotonic() + seconds
        while time.monotonic() < end:
            connection.sendall(chunk)


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2])
    else:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
