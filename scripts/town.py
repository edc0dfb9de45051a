"""A daemon on loopback for the benchmarks: started, asked over HTTP, watched from outside (CPU, memory, bytes, disk)."""
import http.client, json, os, re, signal, socket, subprocess, sys, time

BIN = os.environ.get("ORTSNETZ_BIN", os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release/ortsnetz"))
TICK = os.sysconf("SC_CLK_TCK")
# What IP and TCP add to each segment, time stamps included (RFC 791, 9293, 7323).
SEGMENT_HEADER_BYTES = 52


def fail(text):
    sys.exit(f"bench: {text}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Town:
    """One daemon with its data directory."""

    def __init__(self, base, name):
        self.dir, self.port, self.proc = f"{base}/{name}", free_port(), None

    def cli(self, *args):
        out = subprocess.run([BIN, "--data-dir", self.dir, "--json", *args], capture_output=True, text=True)
        if out.returncode:
            fail(f"{' '.join(args)[:200]}: {out.stderr.strip()}")
        return json.loads(out.stdout)

    def start(self):
        log = open(self.dir + ".log", "a")
        addr = f"{self.dir}/http.addr"
        if os.path.exists(addr):
            os.remove(addr)
        argv = [BIN, "--data-dir", self.dir, "run", "--http", "127.0.0.1:0", "--listen", f"/ip4/127.0.0.1/tcp/{self.port}"]
        self.proc = subprocess.Popen(argv, stdout=log, stderr=log)
        while not os.path.exists(addr):
            if self.proc.poll() is not None:
                fail(f"a daemon ended; see {self.dir}.log")
            time.sleep(.005)
        self.addr = open(addr).read().strip()
        self.token = open(f"{self.dir}/admin.token").read().strip()
        return self

    def stop(self):
        if self.proc:
            self.proc.send_signal(signal.SIGCONT)
            self.proc.send_signal(signal.SIGTERM)
            self.proc.wait()
            self.proc = None

    def kill9(self):
        self.proc.kill()
        self.proc.wait()
        self.proc = None

    def freeze(self):
        """Stops the process where it is: who dials it now waits for the handshake."""
        self.proc.send_signal(signal.SIGSTOP)

    def thaw(self):
        """Lets it go on; returns the moment."""
        at = time.monotonic()
        self.proc.send_signal(signal.SIGCONT)
        return at

    def request(self, method, path, body=None):
        c = http.client.HTTPConnection(self.addr, timeout=120)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        c.request(method, path, json.dumps(body) if body is not None else None, headers)
        r = c.getresponse()
        data = r.read()
        if r.status >= 400:
            fail(f"{method} {path}: {r.status} {data[:300]!r}")
        return data

    def call(self, method, path, body=None):
        data = self.request(method, "/api/v1" + path, body)
        return json.loads(data) if data else None

    def status(self):
        return self.call("GET", "/status")

    def events(self):
        """Yields events with the moment they came; the connection is made before this returns."""
        c = http.client.HTTPConnection(self.addr, timeout=120)
        c.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {self.token}"})
        r = c.getresponse()

        def lines():
            while line := r.readline():
                if line.startswith(b"data:"):
                    yield time.monotonic(), json.loads(line[5:])
        return lines()

    def metric(self, name):
        total = 0.0
        for line in self.request("GET", "/metrics").decode().splitlines():
            if line.startswith(name) and line[len(name)] in " {":
                total += float(line.rsplit(" ", 1)[1])
        return total

    def frames(self):
        """Bytes of sync frames in both directions since the process started."""
        return self.metric("ortsnetz_sync_bytes_received_total") + self.metric("ortsnetz_sync_bytes_sent_total")

    def cpu(self):
        f = open(f"/proc/{self.proc.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / TICK

    def reset_peak(self):
        with open(f"/proc/{self.proc.pid}/clear_refs", "w") as f:
            f.write("5")

    def peak_mb(self):
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{self.proc.pid}/status") if line.startswith("VmHWM"))

    def disk(self):
        return sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(self.dir) for f in fs)


def connection_bytes(*towns):
    """Bytes of the one connection between these towns, headers and TLS included, as the kernel counts them (`ss`)."""
    ports = {town.port for town in towns}
    try:
        out = subprocess.run(["ss", "-tinHO", "state", "established"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    for line in out.splitlines():
        local = re.match(r"\S+\s+\S+\s+\S+:(\d+)\s", line)
        if local and int(local[1]) in ports:
            counts = {k: int(v) for k, v in re.findall(r"(bytes_sent|bytes_received|segs_out|segs_in):(\d+)", line)}
            segments = counts.get("segs_out", 0) + counts.get("segs_in", 0)
            return counts.get("bytes_sent", 0) + counts.get("bytes_received", 0) + segments * SEGMENT_HEADER_BYTES
    return None


def wait_for(events, wanted, limit=600):
    """The moment of the first event that is wanted."""
    end = time.monotonic() + limit
    for at, event in events:
        if wanted(event):
            return at
        if time.monotonic() > end:
            break
    fail("what was waited for did not happen")


def wait_until(check, what, limit=600, pause=.004):
    """Asks again and again; returns the moment it was true."""
    end = time.monotonic() + limit
    while not check():
        if time.monotonic() > end:
            fail(f"{what} did not happen in {limit} s")
        time.sleep(pause)
    return time.monotonic()
