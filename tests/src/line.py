#!/usr/bin/env python3
"""A line between two network namespaces that can be slow, lossy, or cut in one direction: line.py NAME_A NAME_B.

Opens two TAP interfaces, which the caller then moves into the namespaces, and carries Ethernet frames between them. What
`tc netem` does, for kernels that have no `sch_netem` too. Commands on standard input, each answered by `ok`:
`delay MS`, `loss PERCENT`, `cut none|both|ab|ba`. Ends with its standard input.
"""
import fcntl, heapq, os, random, select, struct, sys, time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def main():
    ends = [tap(sys.argv[1]), tap(sys.argv[2])]
    names = {ends[0]: "ab", ends[1]: "ba"}
    delay, loss, cut = 0.0, 0.0, "none"
    waiting, count = [], 0  # (when, order, where to, frame)
    pending = b""
    print("ok", flush=True)
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([sys.stdin.fileno(), *ends], [], [], timeout)
        if sys.stdin.fileno() in ready:
            read = os.read(sys.stdin.fileno(), 4096)
            if not read:
                return
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                what, value = line.decode().split()
                if what == "delay":
                    delay = float(value) / 1000
                elif what == "loss":
                    loss = float(value) / 100
                elif what == "cut":
                    cut = value
                print("ok", flush=True)
        for end in ends:
            if end not in ready:
                continue
            try:
                frame = os.read(end, 65536)
            except OSError:  # the interface is down
                continue
            if cut in ("both", names[end]) or random.random() < loss:
                continue
            count += 1
            other = ends[1] if end == ends[0] else ends[0]
            heapq.heappush(waiting, (time.monotonic() + delay, count, other, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, other, frame = heapq.heappop(waiting)
            try:
                os.write(other, frame)
            except OSError:
                pass


main()
