#!/usr/bin/env python3
"""Computes a month once more from its records: settlement.py records.json > table.csv

The records are those of `ortsnetz reports settle export --format json`; the table must be the CSV of the same month."""
import json, sys
from calendar import monthrange

data = json.load(open(sys.argv[1]))
month, versions = data["month"], {(v["agreement"], v["version"]): v for v in data["versions"]}
div = lambda number, by: (2 * number + by) // (2 * by)  # half a cent goes up
minutes = {"second": lambda s: s, "minute_up": lambda s: (s + 59) // 60 * 60, "minute": lambda s: (s + 30) // 60 * 60}
price = lambda version: (versions.get(version) or {}).get("prices") or {}
covers = lambda version, day: version["from"] <= day <= (version["until"] or "9999-12-31")
sums, rates = {}, {}
print("kind;at;contact;agreement;version;outcome;topics;place;channel;seconds;billed_seconds;cents")

def add(version, cents):
    if cents:
        rate = price(version).get("tax_permille", 0)
        rates[rate] = rates.get(rate, 0) + cents

for c in sorted(data["contacts"], key=lambda c: (c["at"], c["id"])):
    under = c.get("under") or {"agreement": "", "version": ""}
    key = (under["agreement"], under["version"])
    kind = ("correction" if c["settled"] else "reversed" if c["reversed"]
            else "uncovered" if key not in versions or not covers(versions[key], c["at"][:10])
            else "late" if c["at"][:7] < month else "contact")
    sign = {"contact": 1, "late": 1, "correction": -1}.get(kind, 0) * (c["outcome"] != "gave_up")
    p = price(key)
    billed = sign * minutes[p["rounding"]](c["seconds"]) if p else 0
    before, sums[key] = sums.get(key, 0), sums.get(key, 0) + billed * p.get("minute_cents", 0)
    cents = div(sums[key], 60) - div(before, 60) + sign * p.get("contact_cents", 0)
    add(key, cents)
    print(kind, c["at"], c["id"], *key, c["outcome"], ",".join(c.get("topics", [])), c.get("place", ""), c["channel"],
          c["seconds"], billed, cents, sep=";")

days = monthrange(*map(int, month.split("-")))[1]
newest = lambda agreement, day: max((n for (a, n), v in versions.items() if a == agreement and covers(v, day)), default=0)
for agreement in sorted({a for a, _ in versions}):
    total, count = 0, {}
    for day in range(1, days + 1):
        number = newest(agreement, f"{month}-{day:02}")
        count[number] = count.get(number, 0) + 1
    for number in sorted(n for n in count if n):
        before, total = total, total + price((agreement, number)).get("month_cents", 0) * count[number]
        cents = div(total, days) - div(before, days)
        add((agreement, number), cents)
        if cents:
            print("month", month, f"{count[number]} days", agreement, number, *[""] * 6, cents, sep=";")

net, last_day = sum(rates.values()), f"{month}-{days:02}"
counted = [(min(v["until"] or last_day, last_day), n, a) for (a, n), v in versions.items()
           if v["from"] <= last_day and (v["until"] or last_day) >= f"{month}-01"]
capping = max(counted)[:0:-1] if counted else ("", 0)
cap = price(capping).get("cap")
billed = net
if cap:
    most = cap["cents_per_inhabitant"] * cap["inhabitants"]
    left = min(data["year_net_cents_before"] + net, most) - data["year_billed_cents_before"]
    billed = max(min(net, 0), min(left, max(net, 0)))
if billed != net:
    rate = price(capping).get("tax_permille", 0)
    rates[rate] = rates.get(rate, 0) - (net - billed)
taxes = [(rate, on, div(on * rate, 1000)) for rate, on in sorted(rates.items()) if rate]
row = lambda what, detail, cents: print(what, month, detail, *[""] * 8, cents, sep=";")
row("net", "", net)
row("cap", "", billed - net)
for rate, on, tax in taxes:
    row("tax", f"{rate} permille of {on}", tax)
row("total", "", billed + sum(tax for *_, tax in taxes))
