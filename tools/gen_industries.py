#!/usr/bin/env python3
"""Generate crates/mj-standard/data/industries.tsv.gz from a CSV `code,level,name,parent,note` of GB/T 4754-2017.

Usage: gen_industries.py GBT4754_2017.csv.gz OUT.tsv.gz. Output: `code<TAB>name`, each section before its divisions,
in the order of the standard, so that the section letter of a numeric code is the last letter above it.
"""
import csv
import gzip
import sys


def main(source, target):
    rows = list(csv.DictReader(gzip.open(source, "rt", encoding="utf-8")))
    parent = {r["code"]: r["parent"] for r in rows}

    def section(code):
        while parent.get(code):
            code = parent[code]
        return code

    rows.sort(key=lambda r: (section(r["code"]), r["code"].isdigit(), r["code"]))
    raw = "".join(f"{r['code']}\t{r['name'].strip()}\n" for r in rows).encode("utf-8")
    with open(target, "wb") as f, gzip.GzipFile(filename="", mode="wb", fileobj=f, mtime=0, compresslevel=9) as z:
        z.write(raw)
    print(f"{len(rows)} codes, {len(raw)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:3])
