#!/usr/bin/env python3
"""Two towns at the job the other systems were measured at, each phase as a reader sees it, and the ratios.

usage: bench.py [N ...]      (default 1000 4000 40000; the other systems up to 4000)
Phases: first sync into an empty town, 200 published edits, reconnect with nothing changed, own nodes merging after a cut,
kill -9 in the first sync, disk after compaction. "From the dial" means: the process that is dialled was frozen and goes on.
With ORTSNETZ_PEERS leading to the other systems' scripts, their `setup.sh` done and PEERS_WORK set, PouchDB, Syncthing and
samod run first, in the same run. Needs the release build (`make bench` makes it)."""
import json, os, shutil, statistics, subprocess, sys, tempfile, time
from town import SEGMENT_HEADER_BYTES, Town, connection_bytes, fail, wait_for, wait_until, BIN

PEERS = os.environ.get("ORTSNETZ_PEERS", "../shared/peers")
WORK = os.environ.get("PEERS_WORK")
EDITS = 200
FOUND_EDITS = 20


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


def rsync_z_bytes(base, n):
    """What `rsync -z` sends for the same entries, one file each, into an empty directory; None without rsync."""
    try:
        done = subprocess.run(["rsync", "-az", "--stats", "--rsh", f"{sys.executable} {os.path.abspath(__file__)} --here",
                               f"{base}/d{n}/entries/", f"localhost:{base}/rsync{n}/"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    numbers = [int(line.split(":")[1].replace(",", "").split()[0]) for line in done.stdout.splitlines()
               if line.startswith(("Total bytes sent", "Total bytes received"))]
    return sum(numbers)


def partners(base):
    a, b = Town(base, "a"), Town(base, "b")
    a.cli("init", "--name", "Stadt A", "--ars", "053820060060")
    b.cli("init", "--name", "Stadt B", "--ars", "053150000000")
    a.start(), b.start()
    b.cli("join", a.cli("invite", "--for", "053150000000", "--trust")["token"])
    wait_until(lambda: all(p["in_sync"] for town in (a, b) for p in town.status()["partners"]), "the first meeting", 60)
    return a, b


def meet(a, b):
    """Starts `b` while `a` is frozen, waits until `b` has dialled, lets `a` go on; returns that moment."""
    a.freeze()
    b.start()
    time.sleep(.7)
    return a.thaw()


def both_in_sync(a, b):
    return all(p["connected"] and p["in_sync"] for town in (a, b) for p in town.status()["partners"])


def settled(town, n):
    """Waits until an import is over: its index made, its memory given back. The other systems begin from data at rest, too."""
    wait_until(lambda: town.metric("ortsnetz_search_entries") >= n, "the index", pause=.05)
    time.sleep(1)


def first_sync(a, b, n, result):
    a.reset_peak()
    frames, cpu = a.frames(), a.cpu()
    t = meet(a, b)
    boot = b.cpu()
    # Seldom enough that asking takes no part of the two cores, often enough for the second digit.
    result["readable_s"] = wait_until(lambda: b.status()["entries"]["replicated"] >= n, "the first sync", pause=.02) - t
    result["in_sync_s"] = wait_until(lambda: both_in_sync(a, b), "being in sync", pause=.02) - t
    result["searchable_s"] = wait_until(lambda: b.metric("ortsnetz_search_entries") >= n, "the index", pause=.02) - t
    result["first_mb"] = (connection_bytes(a, b) or 0) / 1e6
    result["first_frames_mb"] = (a.frames() - frames) / 1e6
    result["cpu_s"] = a.cpu() - cpu + b.cpu()
    result["cpu_start_s"] = boot
    result["peak_mb"] = [round(a.peak_mb()), round(b.peak_mb())]


def edits(a, b, n, result):
    ids = [e["id"] for e in a.call("GET", "/entries?limit=200")["entries"]]
    events, lat, wire = b.events(), [], connection_bytes(a, b)
    for i in range(EDITS):
        entry = ids[i % len(ids)]
        a.call("PATCH", f"/entries/{entry}", {"fees": [{"kind": "fixed", "amount": 100000 + i, "currency": "EUR"}]})
        t = time.monotonic()
        a.call("POST", f"/entries/{entry}/publish")
        lat.append((wait_for(events, lambda e: e["type"] == "entry" and e["id"] == entry) - t) * 1000)
    result["edit_bytes"] = (connection_bytes(a, b) - wire) / len(lat) if wire else None
    lat.sort()
    result["edit_ms"], result["edit_p99_ms"] = statistics.median(lat), lat[int(len(lat) * .99) - 1]
    found = []
    for i in range(FOUND_EDITS):
        word, entry = f"Prüfwort{'abcdefghijklmnopqrst'[i] * 3}", ids[i]
        a.call("PATCH", f"/entries/{entry}", {"title": {"de": word}})
        t = time.monotonic()
        a.call("POST", f"/entries/{entry}/publish")
        found.append(wait_until(lambda: b.call("GET", f"/search?q={word.replace('ü', '%C3%BC')}")["total"] > 0, "finding", 30) - t)
    result["found_s"] = max(found)


def reconnect(a, b, result):
    wait_until(lambda: both_in_sync(a, b), "being in sync", 60)
    time.sleep(6)  # what was taken in is remembered within 5 s
    b.stop()
    frames = a.frames()
    t = meet(a, b)
    result["reconnect_s"] = wait_until(lambda: both_in_sync(a, b), "being in sync", 60, .001) - t
    result["reconnect_frames"], result["reconnect_bytes"] = a.frames() - frames, connection_bytes(a, b)


def disk(b, payload, result):
    result["disk_x"] = b.disk() / payload
    b.cli("store", "compact")
    result["disk_compacted_x"] = b.disk() / payload


def catch_up(a, base, n, name, kill):
    """A new town joins and takes in everything, killed and started again at 40 % if asked; returns the bytes `a` sent."""
    town = Town(base, name)
    ars = {"c": "053140000000", "d": "053160000000"}[name]
    town.cli("init", "--name", f"Stadt {name.upper()}", "--ars", ars)
    town.start()
    before = a.metric("ortsnetz_sync_bytes_sent_total")
    town.cli("join", a.cli("invite", "--for", ars, "--trust")["token"])
    if kill:
        wait_until(lambda: town.status()["entries"]["replicated"] >= .4 * n, "40 %", pause=.001)
        town.kill9()
        town.start()
    wait_until(lambda: town.status()["entries"]["replicated"] >= n, "everything")
    wait_until(lambda: all(p["in_sync"] for p in town.status()["partners"]), "being in sync")
    sent = a.metric("ortsnetz_sync_bytes_sent_total") - before
    town.stop()
    return sent


def killed(a, base, n, result):
    """What is sent twice to a town that was killed in its first sync, beside one that was not."""
    clean = catch_up(a, base, n, "c", kill=False)
    again = max(0, catch_up(a, base, n, "d", kill=True) - clean)
    result["sent_clean"], result["kill_resent_kib"], result["kill_resent_share"] = clean, again / 1024, again / clean


def run(n):
    base = tempfile.mkdtemp(prefix="ortsnetz-bench-")
    result = {"n": n, "fdatasync_ms": fdatasync_ms(base), "load": float(open("/proc/loadavg").read().split()[0])}
    path, payload = data(base, n)
    result["rsync_z_mb"] = (rsync_z_bytes(base, n) or 0) / 1e6 or None
    a, b = partners(base)
    try:
        b.stop()
        t = time.monotonic()
        report = a.cli("import", path, "--publish")
        if report["published"] != n:
            fail(f"only {report['published']} of {n} were published")
        result["import_s"] = time.monotonic() - t
        settled(a, n)
        first_sync(a, b, n, result)
        edits(a, b, n, result)
        reconnect(a, b, result)
        disk(b, payload, result)
        killed(a, base, n, result)
    finally:
        a.stop(), b.stop()
        shutil.rmtree(base, ignore_errors=True)
    return result


def own_nodes(n):
    """100 edits on each of two own nodes while apart, 10 of them in the same entries in different fields."""
    base = tempfile.mkdtemp(prefix="ortsnetz-bench-")
    path, _ = data(base, n)
    a, b = Town(base, "a"), Town(base, "b")
    a.cli("init", "--name", "Stadt A", "--ars", "053820060060")
    try:
        a.start()
        b.cli("init", "--join", a.cli("invite", "--node")["token"])
        b.start()
        a.cli("import", path)
        wait_until(lambda: b.status()["entries"]["drafts"] >= n, "the drafts", pause=.05)
        wait_until(lambda: both_in_sync(a, b), "being in sync")
        ids = [e["id"] for e in a.call("GET", "/entries?limit=400")["entries"]]
        b.stop()
        for i in range(100):
            a.call("PATCH", f"/entries/{ids[i]}", {"fees": [{"kind": "fixed", "amount": 7000 + i, "currency": "EUR"}]})
        a.freeze()
        b.start()
        for i in range(100):
            b.call("PATCH", f"/entries/{ids[i + 90]}", {"audience": ["citizen"]})
        t = a.thaw()

        def fields(town, i):
            e = town.call("GET", f"/entries/{ids[i]}?draft=true")["entry"]
            return e["fees"][0]["amount"] == 7000 + i if i < 100 else False, e.get("audience") == ["citizen"]

        def both_have():
            return fields(b, 0)[0] and fields(b, 89)[0] and fields(a, 189)[1] and fields(a, 100)[1] and \
                all(all(fields(town, i)) for town in (a, b) for i in range(90, 100))
        merge_s = wait_until(both_have, "merging", 60) - t
        wait_until(lambda: both_in_sync(a, b), "being in sync")
        merged = sum(all(fields(a, i)) and all(fields(b, i)) for i in range(90, 100))
        kept = sum(fields(b, i)[0] for i in range(90)) + sum(fields(a, i)[1] for i in range(100, 190))
        return {"n": n, "merge_s": merge_s, "bytes": connection_bytes(a, b), "merged": merged, "kept_of_180": kept}
    finally:
        a.stop(), b.stop()
        shutil.rmtree(base, ignore_errors=True)


def peers(sizes):
    """Runs the other systems; returns their figures of this run by (name, size)."""
    if not WORK or not os.path.isdir(PEERS):
        print("other systems: not measured (do their setup.sh, set PEERS_WORK and ORTSNETZ_PEERS)")
        return {}
    path = f"{WORK}/results/results.jsonl"
    known = sum(1 for _ in open(path)) if os.path.exists(path) else 0
    for n in sizes:
        for argv in (["drive.py", "pouch", str(n)], ["st.py", str(n)], ["drive.py", "samod", str(n), "abcd"]):
            print("running", *argv, flush=True)
            done = subprocess.run([sys.executable, *argv], cwd=PEERS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if done.returncode:
                print(f"other systems: {' '.join(argv)} ended with {done.returncode}; its row is missing")
    rows = [json.loads(line) for line in open(path)][known:] if os.path.exists(path) else []
    return {(row["peer"], row["n"]): row for row in rows}


def compare(own, merge, others):
    """One line per row of the bar: ours, the others of the same run, the ratio."""
    n = own["n"]

    def peer(name, phase, field):
        value = others.get((name, n), {}).get(phase, {}).get(field)
        return value if isinstance(value, (int, float)) and value > 0 else None

    def row(what, ours_value, unit, phase=None, field=None, bar=None):
        parts = []
        for name in ("pouch", "syncthing", "samod") if phase else ():
            value = peer(name, phase, field)
            if value:
                parts.append(f"{name} {value:g} ({value / ours_value:.1f} x)" if ours_value else f"{name} {value:g}")
        state = "" if bar is None else (" met" if ours_value <= bar else " MISSED")
        goal = "" if bar is None else f"  bar {bar:g}{state}"
        print(f"  {what:44} {ours_value:10.4g} {unit:4}{goal:22} {'; '.join(parts)}")
    print(f"\n{n} entries (load {own['load']}, fdatasync {own['fdatasync_ms']:.2f} ms)")
    big = n == 4000
    row("first sync, from the dial to readable", own["readable_s"], "s", "a", "s", 1.3 if big else None)
    row("  in sync, durable, audited", own["in_sync_s"], "s")
    row("  searchable", own["searchable_s"], "s", bar=3 if big else None)
    row("  bytes on the line", own["first_mb"], "MB", bar=own["rsync_z_mb"] and 1.1 * own["rsync_z_mb"])
    if own["rsync_z_mb"]:
        print(f"  {'  rsync -z':44} {own['rsync_z_mb']:10.4g} MB")
    row("  CPU of both sides, index included", own["cpu_s"], "s", bar=5 if big else None)
    row("  peak memory per node", max(own["peak_mb"]), "MB", "a", "rssB", 100 if big else None)
    fast_disk = own["fdatasync_ms"] <= .5
    row("edit, publish to readable there: median", own["edit_ms"], "ms", "b", "med_ms", 5 if fast_disk else None)
    row("  p99 of 200", own["edit_p99_ms"], "ms", "b", "p99_ms", 15 if fast_disk else None)
    row("  bytes", own["edit_bytes"] or 0, "B", "b", "bytes_per_edit", 800)
    row("  found by search, slowest of 20", own["found_s"], "s", bar=1)
    row("reconnect, nothing changed", own["reconnect_s"], "s", "c", "s", .05)
    row("  bytes of ours", own["reconnect_frames"], "B", bar=500)
    row("  with handshake and headers", own["reconnect_bytes"] or 0, "B", "c", "bytes")
    row("disk of the reader, with index", own["disk_x"], "x", bar=3)
    row("  after compaction", own["disk_compacted_x"], "x", bar=1.5)
    row("kill -9 in the first sync, sent twice", own["kill_resent_kib"], "KiB", bar=max(256, .05 * own["sent_clean"] / 1024))
    if merge:
        row("own nodes, 100 + 100 edits apart", merge["merge_s"], "s", "d", "s", .3)
        row("  bytes", (merge["bytes"] or 0) / 1e6, "MB", bar=.2)
        theirs = "; ".join(f"{name} {others[name, n]['d']['both']} of 10" for name in ("pouch", "syncthing", "samod") if "d" in others.get((name, n), {}))
        print(f"  {'  same entry, different fields':44} {merge['merged']:4} of 10 merged, {merge['kept_of_180']} of 180 others kept  {theirs}")


def main():
    if sys.argv[1:2] == ["--here"]:  # the remote shell of rsync: runs its server on this machine
        os.execvp(sys.argv[3], sys.argv[3:])
    if not os.access(BIN, os.X_OK):
        fail(f"{BIN} is missing; run make release")
    sizes = [int(a) for a in sys.argv[1:]] or [1000, 4000, 40000]
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    print(f"machine: {os.cpu_count()} cores, {cpu}, load {open('/proc/loadavg').read().split()[0]}; segment headers counted as {SEGMENT_HEADER_BYTES} B")
    others = peers([n for n in sizes if n <= 4000])
    for n in sizes:
        own = run(n)
        merge = own_nodes(n) if n <= 4000 else None
        print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in {**own, "own_nodes": merge}.items()}), flush=True)
        compare(own, merge, others)


if __name__ == "__main__":
    main()
