#!/usr/bin/env python3
"""Our figures at the job of `findings`: two daemons on loopback, the peers' data, each phase as a reader sees it.

usage: bench.py [N ...]      (default 1000 4000 40000)
Phases: first sync, one published edit (200 times), reconnect with nothing changed, own nodes merging after a cut.
With ORTSNETZ_PEERS leading to the other systems' scripts (and their `setup.sh` done, PEERS_WORK set) they run first, in
the same run, and the ratios are printed. Needs the release build (make release)."""
import http.client, json, os, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

BIN = os.environ.get("ORTSNETZ_BIN", os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release/ortsnetz"))
PEERS = os.environ.get("ORTSNETZ_PEERS", "../shared/peers")
TICK = os.sysconf("SC_CLK_TCK")
EDITS = 200


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Node:
    """One daemon with its data directory."""

    def __init__(self, base, name):
        self.dir, self.port, self.proc = f"{base}/{name}", free_port(), None

    def cli(self, *args, **kw):
        out = subprocess.run([BIN, "--data-dir", self.dir, "--json", *args], capture_output=True, text=True, **kw)
        if out.returncode:
            sys.exit(f"bench: {' '.join(args)}: {out.stderr.strip()}")
        return json.loads(out.stdout)

    def start(self):
        log = open(self.dir + ".log", "a")
        self.proc = subprocess.Popen([BIN, "--data-dir", self.dir, "run", "--http", "127.0.0.1:0",
                                      "--listen", f"/ip4/127.0.0.1/tcp/{self.port}"], stdout=log, stderr=log)
        while not os.path.exists(f"{self.dir}/http.addr"):
            if self.proc.poll() is not None:
                sys.exit(f"bench: a daemon ended; see {self.dir}.log")
            time.sleep(.005)
        self.addr = open(f"{self.dir}/http.addr").read().strip()
        self.token = open(f"{self.dir}/admin.token").read().strip()
        return self

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait()
        self.proc = None

    def call(self, method, path, body=None):
        c = http.client.HTTPConnection(self.addr, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        c.request(method, "/api/v1" + path, json.dumps(body) if body is not None else None, headers)
        r = c.getresponse()
        data = r.read()
        if r.status >= 400:
            sys.exit(f"bench: {method} {path}: {r.status} {data[:300]!r}")
        return json.loads(data) if data else None

    def events(self):
        """Yields events as they come; the connection is made before this returns."""
        c = http.client.HTTPConnection(self.addr, timeout=120)
        c.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {self.token}"})
        r = c.getresponse()

        def lines():
            while True:
                line = r.readline()
                if not line:
                    return
                if line.startswith(b"data:"):
                    yield time.monotonic(), json.loads(line[5:])
        return lines()

    def metric(self, name):
        c = http.client.HTTPConnection(self.addr, timeout=60)
        c.request("GET", "/metrics", headers={"Authorization": f"Bearer {self.token}"})
        total = 0.0
        for line in c.getresponse().read().decode().splitlines():
            if line.startswith(name) and line[len(name)] in " {":
                total += float(line.rsplit(" ", 1)[1])
        return total

    def cpu(self):
        f = open(f"/proc/{self.proc.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / TICK

    def peak_mb(self):
        return next(int(l.split()[1]) / 1024 for l in open(f"/proc/{self.proc.pid}/status") if l.startswith("VmHWM"))

    def wire(self):
        return self.metric("ortsnetz_sync_bytes_received_total") + self.metric("ortsnetz_sync_bytes_sent_total")


def ours(entry):
    """An entry of the peers' data as one of our services: every value is kept, what has no field goes to extensions."""
    e = dict(entry)
    texts = {"summary": e.pop("kurztext"), "description": e.pop("volltext"), "procedure": e.pop("verfahrensablauf"),
             "notes": e.pop("hinweise"), "prerequisites": "\n".join("- " + t for t in e.pop("voraussetzungen")),
             "required_documents": "\n".join("- " + t for t in e.pop("unterlagen")),
             "legal_basis": "\n".join("- " + t for t in e.pop("rechtsgrundlagen"))}
    fee = e.pop("gebuehr")
    return {"kind": "service", "identifier": {"agency": "bench", "scheme": "LB", "value": e.pop("id")},
            "title": {"de": e.pop("titel")}, "leika": [e.pop("leika")], "keywords": {"de": e.pop("schlagworte")},
            "texts": {name: {"de": text} for name, text in texts.items()},
            "fees": [{"kind": "fixed", "amount": fee["betrag_cent"], "currency": fee["waehrung"], "note": {"de": fee["hinweis"]}}],
            "extensions": e}


def data(base, n):
    subprocess.run([sys.executable, f"{PEERS}/gen.py", str(n), f"{base}/d{n}"], check=True)
    path = f"{base}/d{n}.jsonl"
    with open(path, "w") as out:
        for line in open(f"{base}/d{n}/entries.jsonl"):
            out.write(json.dumps(ours(json.loads(line)), ensure_ascii=False) + "\n")
    return path, os.path.getsize(f"{base}/d{n}/entries.jsonl")


def wait_for(events, wanted, limit=600):
    end = time.monotonic() + limit
    for at, event in events:
        if wanted(event):
            return at
        if time.monotonic() > end:
            break
    sys.exit("bench: what was waited for did not happen")


def fdatasync_ms(base):
    times = []
    with open(f"{base}/sync", "wb") as f:
        for _ in range(100):
            f.write(b"x" * 500)
            f.flush()
            t = time.monotonic()
            os.fdatasync(f.fileno())
            times.append((time.monotonic() - t) * 1000)
    return statistics.median(times)


def run(n):
    base = tempfile.mkdtemp(prefix="ortsnetz-bench-")
    result = {"n": n, "fdatasync_ms": fdatasync_ms(base)}
    path, payload = data(base, n)
    a, b = Node(base, "a"), Node(base, "b")
    a.cli("init", "--name", "Stadt A", "--ars", "053820060060")
    b.cli("init", "--name", "Stadt B", "--ars", "053150000000")
    try:
        a.start(), b.start()
        token = a.cli("invite", "--for", "053150000000", "--trust")["token"]
        b.cli("join", token)
        time.sleep(1)
        b.stop()
        t = time.monotonic()
        report = a.cli("import", path, "--publish")
        assert report["published"] == n, report
        result["import_s"] = time.monotonic() - t
        wire, cpu = a.wire(), a.cpu()
        t = time.monotonic()
        b.start()
        result["start_s"] = time.monotonic() - t
        events = b.events()
        while b.call("GET", "/status")["entries"]["replicated"] < n:
            time.sleep(.01)
        result["first_sync_s"] = time.monotonic() - t
        while b.metric("ortsnetz_search_entries") < n:
            time.sleep(.05)
        result["searchable_s"] = time.monotonic() - t
        result["first_sync_mb"] = (a.wire() - wire) / 1e6
        result["first_sync_cpu_s"] = a.cpu() - cpu + b.cpu()
        result["peak_mb"] = f"{a.peak_mb():.0f}/{b.peak_mb():.0f}"
        usage = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(b.dir) for f in fs)
        result["disk_x"] = usage / payload
        # One published edit: until readable at the partner, by its own event.
        ids = [e["id"] for e in a.call("GET", "/entries?limit=200")["entries"]]
        lat, wire = [], a.wire()
        events = b.events()
        for i in range(EDITS if n <= 4000 else 50):
            entry = ids[i % len(ids)]
            a.call("PATCH", f"/entries/{entry}", {"fees": [{"kind": "fixed", "amount": 100000 + i, "currency": "EUR"}]})
            t = time.monotonic()
            a.call("POST", f"/entries/{entry}/publish")
            at = wait_for(events, lambda e: e["type"] == "entry" and e["id"] == entry)
            lat.append((at - t) * 1000)
        lat.sort()
        result["edit_ms"] = statistics.median(lat)
        result["edit_p99_ms"] = lat[int(len(lat) * .99)]
        result["edit_bytes"] = (a.wire() - wire) / len(lat)
        # Nothing changed.
        b.stop()
        wire = a.wire()
        watch = a.events()
        b.start()
        first = wait_for(watch, lambda e: e["type"] == "partner" and e["connected"])
        while not all(p["in_sync"] for node in (a, b) for p in node.call("GET", "/status")["partners"]):
            time.sleep(.002)
        result["reconnect_s"], result["reconnect_bytes"] = time.monotonic() - first, a.wire() - wire
    finally:
        for node in (a, b):
            if node.proc:
                node.stop()
        shutil.rmtree(base, ignore_errors=True)
    return result


def own_nodes(n):
    """100 edits on each of two own nodes while apart, 10 on the same entries in different fields."""
    base = tempfile.mkdtemp(prefix="ortsnetz-bench-")
    path, _ = data(base, n)
    a, b = Node(base, "a"), Node(base, "b")
    a.cli("init", "--name", "Stadt A", "--ars", "053820060060")
    try:
        a.start()
        b.cli("init", "--join", a.cli("invite", "--node")["token"])
        b.start()
        a.cli("import", path)
        while b.call("GET", "/status")["entries"]["drafts"] < n:
            time.sleep(.05)
        ids = [e["id"] for e in a.call("GET", "/entries?limit=400")["entries"]]
        b.stop()
        for i in range(100):
            a.call("PATCH", f"/entries/{ids[i]}", {"fees": [{"kind": "fixed", "amount": 7000 + i, "currency": "EUR"}]})
        a.stop()
        b.start()
        for i in range(100):
            b.call("PATCH", f"/entries/{ids[i + 90]}", {"audience": ["citizen"]})
        a_events = None
        a.start()
        a_events, b_events = a.events(), b.events()
        t = time.monotonic()
        want = {ids[i + 90] for i in range(100)}

        def merged(node, entry):
            e = node.call("GET", f"/entries/{entry}?draft=true")["entry"]
            return e.get("audience") == ["citizen"] and e["fees"][0]["amount"] >= 7000
        both = ids[90:100]
        while not all(merged(node, entry) for node in (a, b) for entry in both):
            time.sleep(.01)
        return {"n": n, "merge_s": time.monotonic() - t, "merged": sum(merged(a, e) and merged(b, e) for e in both), "of": len(both), "entries": len(want)}
    finally:
        for node in (a, b):
            if node.proc:
                node.stop()
        shutil.rmtree(base, ignore_errors=True)


def peers(sizes):
    work = os.environ.get("PEERS_WORK")
    if not work or not os.path.isdir(PEERS):
        print("other systems: not measured (run their setup.sh and set PEERS_WORK)")
        return
    for n in sizes:
        for argv in (["drive.py", "pouch", str(n)], ["st.py", str(n)], ["drive.py", "samod", str(n)]):
            done = subprocess.run([sys.executable, *argv], cwd=PEERS)
            if done.returncode:
                print(f"other systems: {' '.join(argv)} ended with {done.returncode}")
    subprocess.run([sys.executable, "report.py"], cwd=PEERS)


def main():
    if not os.access(BIN, os.X_OK):
        sys.exit(f"bench: {BIN} is missing; run make release")
    sizes = [int(a) for a in sys.argv[1:]] or [1000, 4000, 40000]
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    print(f"machine: {os.cpu_count()} cores, {cpu}, load {open('/proc/loadavg').read().split()[0]}")
    peers([n for n in sizes if n <= 4000])
    for n in sizes:
        print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in run(n).items()}), flush=True)
    for n in [n for n in sizes if n <= 4000]:
        print("own nodes apart:", json.dumps(own_nodes(n)), flush=True)


if __name__ == "__main__":
    main()
