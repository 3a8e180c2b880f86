#!/usr/bin/env python3
"""Generate crates/mj-standard/data/divisions.tsv.gz from public code lists.

Usage: gen_divisions.py DIVISIONS_2023.csv.gz MCA_2026.json.gz HISTORY.json.gz OUT.tsv.gz
       (plus divisions_supplement.csv beside this script)

Where the inputs come from and under which licence: data/README.md. The history gives years, not days: a code
counts as in force from 1 January of the year it began to 31 December of the year it ended, so in the year of a
change old and new code are both accepted.

Output, UTF-8, tab separated, sorted by code. A line of six fields is a unit of county level or above:
    code  kind(s|g|f|n)  from  to  successors(;)  name[|former name@last year]...
kind: s statutory, g a grouping code that is no real level (市辖区, 省直辖县级行政区划), f functional zone,
n a code the statistics bureau lists and the ministry does not. For f the field `successors` holds the host county.
A line that starts with a tab is a town of the county above: three digits and the name.
"""
import collections
import csv
import gzip
import io
import json
import pathlib
import sys

CREATES = {"同名改码", "撤县设市", "撤县设区", "撤地设市", "撤市设区", "新设", "撤旗设区", "更名", "区划调整"}
GROUPS = {"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"}


def current_list(path):
    doc = json.load(gzip.open(path))
    out = {}
    for province, p in doc["provinces"].items():
        out[p["code"][:6]] = province
        for city, c in p["cities"].items():
            if c["code"]:
                out[c["code"][:6]] = city
            for county, code in (c.get("counties") or {}).items():
                out[code[:6]] = county
    return out


def main(list_2023, mca, history, target):
    rows = list(csv.DictReader(gzip.open(list_2023, "rt", encoding="utf-8")))
    nbs = {r["code"]: r["name"] for r in rows if len(r["code"]) == 6}
    towns = collections.defaultdict(list)
    for r in rows:
        if len(r["code"]) == 9:
            towns[r["code"][:6]].append((r["code"][6:], r["name"]))
    now = current_list(mca)

    events = collections.defaultdict(list)  # code -> [(year, order, what, other, name)]
    for e in json.load(gzip.open(history))["events"]:
        old, new, year = e["old"] or {}, e["new"] or {}, e["year"]
        a, b = (old.get("code") or "")[:6], (new.get("code") or "")[:6]
        if a and a == b:
            if old["name"] != new["name"]:
                events[a].append((year, 1, "name", new["name"], old["name"]))
            continue
        if a:
            events[a].append((year, 0, "end", b, old["name"]))
        if b and e["type"] in CREATES:
            events[b].append((year, 2, "start", a, new["name"]))
        elif b:
            events[b].append((year, 2, "into", a, new["name"]))
    functional = []
    here = pathlib.Path(__file__).resolve().parent
    lines = (here / "divisions_supplement.csv").read_text(encoding="utf-8").splitlines()
    for r in csv.DictReader(l for l in lines if not l.startswith("#")):
        if r["op"] == "functional":
            functional.append((r["code"], r["successors"], r["name"]))
        elif r["op"] == "retire":
            events[r["code"]].append((int(r["year"]), 0, "end", r["successors"], r["name"]))
        else:
            events[r["code"]].append((int(r["year"]), 2, "start", "", r["name"]))

    units = []  # (code, kind, from, to, successors, names)
    for code in sorted(set(events) | set(nbs) | set(now)):
        kind = "s"
        if code in nbs and code not in now and code not in events:
            if nbs[code] in GROUPS:
                kind = "g"
            elif code[4] == "7":
                kind = "f"
            else:
                kind = "n"
        host = code[:4] + "00" if kind == "f" else ""
        steps = sorted(events.get(code, []), key=lambda t: (t[0], t[1]))
        spans, start, successors, former = [], None, [], []
        on = not steps or next((s[2] for s in steps if s[2] in ("start", "end")), "end") == "end"
        name = None
        for year, _, what, other, label in steps:
            if what == "name":
                former.append((label, year))
                name = other
            elif what == "start":
                if not on:
                    on, start, former = True, year, []
                name = label
            elif what == "end":
                successors = [other] if other else []
                # one old unit may have been divided among several new ones
                successors = sorted({o for y, _, w, o, _ in steps if w == "end" and y == year and o})
                if on:
                    spans.append((start, year, successors, label, former))
                    on, start, former = False, None, []
        if on:
            label = now.get(code) or nbs.get(code) or name
            spans.append((start, None, [], label, former))
        for begin, end, after, label, former in spans:
            names = "|".join([label] + [f"{n}@{y}" for n, y in former if n != label])
            units.append((code, kind, begin or "", end or "", ";".join(after) or host, names))
    for code, host, name in functional:
        units.append((code, "f", "", "", host, name))
    units.sort(key=lambda u: (u[0], str(u[2])))

    out = io.StringIO()
    for i, (code, kind, begin, end, after, names) in enumerate(units):
        out.write(f"{code}\t{kind}\t{begin}\t{end}\t{after}\t{names}\n")
        last_of_code = i + 1 == len(units) or units[i + 1][0] != code
        if last_of_code:
            for suffix, name in sorted(towns.pop(code, [])):
                out.write(f"\t{suffix}{name}\n")
    assert not towns, f"towns without a county: {sorted(towns)[:5]}"
    raw = out.getvalue().encode("utf-8")
    with open(target, "wb") as f, gzip.GzipFile(filename="", mode="wb", fileobj=f, mtime=0, compresslevel=9) as z:
        z.write(raw)
    print(f"{len(units)} units, {len(raw)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:5])
