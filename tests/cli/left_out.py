"""What a run's files say of what it took, and of what it left out."""

import csv
import json


def read(out, name="records.csv"):
    with open(out / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def report(out):
    return json.loads((out / "run.json").read_text())


def warnings_of(result):
    return [line for line in result.err.splitlines() if "left out" in line]
