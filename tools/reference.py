#!/usr/bin/env python3
"""The slow, obviously right reference for `check_action`.

Reads a table specification (JSON, exported by the product) and a department file (CSV, UTF-8) and
prints the counts the product must arrive at when the file is the first delivery into an empty store:

    python3 tools/reference.py SPEC.json FILE.csv --now "2026-11-20 10:00:00" --source 370400
    {"front": 10000, "correct": …, "error": …, "duplicate": …, "superseded": …}

Standard library only, and no code, table or algorithm shared with the product: every rule is written
down again from the standard, one plain sentence each, over all rows in one list.
"""

import argparse
import collections
import csv
import datetime
import json
import re
import sys
import unicodedata

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ENVELOPE = {
    "cd_id", "cd_time", "cd_source", "cd_batch", "cd_operation",
    "record_unique_identity", "submitted_date", "submitted_personnel",
}
EMPTY_WORDS = {"null", "none", "-", "--", "/", "\\n"}


def plain(text):
    """Half width, no blanks around, no stray quotes; words for nothing are nothing."""
    text = unicodedata.normalize("NFKC", text or "").strip().strip('"').strip("'").strip()
    return "" if text.lower() in EMPTY_WORDS else text


def number(text):
    """A code: no blanks inside, capitals."""
    return re.sub(r"[\s-]", "", plain(text)).upper()


def uscc_is_right(code):
    if not re.fullmatch("[0-9A-Z]{18}", code) or any(c not in USCC_ALPHABET for c in code):
        return False
    total = sum(USCC_ALPHABET.index(c) * pow(3, place, 31) for place, c in enumerate(code[:17]))
    if USCC_ALPHABET[(31 - total % 31) % 31] != code[17]:
        return False
    # characters 9 to 17 are an organisation code with a check digit of its own
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * w for c, w in zip(code[8:16], weights))
    check = 11 - total % 11
    return code[16] == {10: "X", 11: "0"}.get(check, str(check))


def citizen_is_right(code):
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", code):
        return False
    try:
        datetime.date(int(code[6:10]), int(code[10:12]), int(code[12:14]))
    except ValueError:
        return False
    total = sum(int(c) * pow(2, 17 - place, 11) for place, c in enumerate(code[:17]))
    return "10X98765432"[total % 11] == code[17]


def day(text):
    """A date in one of the forms departments write; None if it is none, or no such day."""
    text = plain(text)
    found = re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?: \d{2}:\d{2}:\d{2})?", text)
    found = found or re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text)
    if not found:
        return None
    try:
        return datetime.date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


def instant(text):
    text = plain(text)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            pass
    return None


class Reference:
    def __init__(self, spec, source, now):
        self.columns = {column["name"]: column for column in spec["columns"]}
        self.natural_key = spec["natural_key"]
        self.business_key = spec["business_key"]
        self.areas = set(spec["areas"])
        self.source = source
        self.now = now

    def value(self, row, name):
        """The canonical text of a cell."""
        kind = self.columns[name]["type"]
        text = row.get(name, "")
        if kind in ("uscc", "citizen_id", "identifier", "item", "implementation", "area"):
            return number(text)
        if kind == "date":
            found = day(text)
            return found.isoformat() if found else plain(text)
        return plain(text)

    def is_wrong(self, row):
        """True when any rule with the severity 'error' is broken."""
        get = lambda name: self.value(row, name)
        deletes = get("cd_operation") == "d"
        for name, column in self.columns.items():
            text = get(name)
            if not text:
                if column["required"] and not column["default"] and not deletes:
                    return True
                continue
            if column["max_len"] and len(text) > column["max_len"]:
                return True
            if column["type"] == "date" and day(row[name]) is None:
                return True
            if column["type"] == "instant" and instant(row[name]) is None:
                return True
            parts = text.split(";") if column["multi"] else [text]
            if column["codes"] and any(part not in column["codes"] for part in parts if part):
                return True
            if column["type"] == "uscc" and not uscc_is_right(text):
                return True
            if column["type"] == "area" and text not in self.areas:
                return True
            if column["type"] == "item" and any(not re.fullmatch(r"\d{14}", p) for p in parts):
                return True
        if get("cd_source") not in ("", self.source):
            return True
        sent = instant(row.get("cd_time", ""))
        if sent and sent > self.now + datetime.timedelta(minutes=5):
            return True
        submitted = day(row.get("submitted_date", ""))
        if submitted and submitted > self.now.date():
            return True
        if deletes:
            return False
        checked = day(row.get("check_date", ""))
        if checked > self.now.date() or submitted and submitted < checked:
            return True
        code, kind = get("administrative_cp_ui_code"), get("administrative_cp_ce_type")
        nature = get("administrative_cp_na")
        if kind == "001" and not uscc_is_right(code):
            return True
        if kind in ("111", "112") and not citizen_is_right(code):
            return True
        if nature == "02" and kind != "001" or nature == "03" and kind not in ("001", "099"):
            return True
        if nature == "01" and kind in ("001", "099"):
            return True
        body = get("implement_institution_code")
        if any(part[:18] != body for part in get("supervise_item_check_icode").split(";")):
            return True
        if get("check_mode") == "1" and not get("plan_id"):
            return True
        officers = {name for name in get("check_personnel").split(";") if name}
        if len(officers) < 2:
            return True
        return bool(get("entrust_dept")) != bool(get("entrust_dept_code"))

    def record_key(self, row):
        given = self.value(row, "cd_id")
        return given or ":".join(self.value(row, name) for name in self.natural_key)

    def run(self, rows):
        counts = {"front": 0, "correct": 0, "error": 0, "duplicate": 0, "superseded": 0}
        # record key -> (time, deleted, content, business key), and who stands under a business key
        current, twins = {}, collections.defaultdict(set)
        # what each row came to, and which row of this load stands for a record
        fates, stands = [], {}
        for row in rows:
            counts["front"] += 1
            if self.is_wrong(row):
                counts["error"] += 1
                continue
            before = current.get(self.record_key(row))
            fates.append(self.put(current, twins, row))
            after = current[self.record_key(row)]
            if before is None or (before[1], before[2]) != (after[1], after[2]):
                # a version that its own load replaces is superseded
                if self.record_key(row) in stands:
                    fates[stands[self.record_key(row)]] = "superseded"
                stands[self.record_key(row)] = len(fates) - 1
        for fate in fates:
            counts[fate] += 1
        return counts

    def put(self, current, twins, row):
        """Section 4 of the design: which row wins."""
        key = self.record_key(row)
        deleted = self.value(row, "cd_operation") == "d"
        time = instant(row.get("cd_time", "")) or self.now
        content = [self.value(row, name) for name in self.columns if name not in ENVELOPE]
        twin_key = tuple(self.value(row, name) for name in self.business_key)
        known = current.get(key)
        if known:
            if (known[1], known[2]) == (deleted, content):
                current[key] = (max(known[0], time),) + known[1:]
                return "duplicate"
            if time < known[0]:
                return "superseded"
        shown = None if deleted else min(twins[twin_key], default=None)
        if known:
            twins[known[3]].discard(key)
        if not deleted:
            twins[twin_key].add(key)
        current[key] = (time, deleted, content, twin_key)
        return "duplicate" if shown not in (None, key) else "correct"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec")
    parser.add_argument("file")
    parser.add_argument("--source", required=True)
    parser.add_argument("--now", required=True, help="instant of reception, Beijing time")
    args = parser.parse_args()
    with open(args.spec, encoding="utf-8") as spec:
        reference = Reference(
            json.load(spec), args.source,
            datetime.datetime.strptime(args.now, "%Y-%m-%d %H:%M:%S"),
        )
    with open(args.file, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        names = {c["title"]: name for name, c in reference.columns.items()}
        rows = [{names.get(k, k): v for k, v in row.items() if k} for row in reader]
    json.dump(reference.run(rows), sys.stdout)
    print()


if __name__ == "__main__":
    main()
