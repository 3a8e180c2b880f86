#!/usr/bin/env python3
"""Writes crates/mj-platform/data/holidays.toml from the PyPI package chinesecalendar (MIT).

    pip install chinesecalendar && python3 tools/make_holidays.py > crates/mj-platform/data/holidays.toml

A year is listed only when the State Council has published it: the package knows the same years.
"""
from chinese_calendar.constants import holidays, workdays

FIRST = 2015

print("# 国务院办公厅历年节假日安排；由 tools/make_holidays.py 生成，请勿手改。")
print("# off：放假而本是周一至周五的日子；work：调休上班的周末。")
for year in sorted({day.year for day in holidays if day.year >= FIRST}):
    off = sorted(d for d in holidays if d.year == year and d.weekday() < 5)
    work = sorted(d for d in workdays if d.year == year and d.weekday() >= 5)
    print(f"\n[[year]]\nyear = {year}")
    print("off = [" + ", ".join(f'"{d}"' for d in off) + "]")
    print("work = [" + ", ".join(f'"{d}"' for d in work) + "]")
