#!/usr/bin/env bash
# msconsconverter 2.0.0 (MSCONS, the EDIFACT message of German and Austrian meter values, to CSV).
#
# A good guess: one row of the CSV for each value of the message, with the period that follows the value; import and
# export kept apart. In MSCONS (UN/EDIFACT D.04B, and the German application of it) a QTY is followed by its DTM+163
# (start) and DTM+164 (end), and the PIA in front of them holds the OBIS code: 1-1:1.29.0 is what was taken from the
# network, 1-1:2.29.0 what was fed into it.
# Instead:
# 1. After the first value a row is written for every segment that follows. A later value comes three times: with the
#    period of the value before it, with its own start and the old end, and right. The segments between two series and
#    at the end repeat the last value. The four values of this file, 11.3 kWh, become 15 rows of 52.1 kWh.
# 2. The PIA is skipped (a line on the log says so) and no column has the direction: import and export are one series.
# The exit code is 0.
# Hurt: energy communities that settle or report from the CSV.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary msconsconverter==2.0.0
cd "$here"

cat > try.py << 'EOF'
import csv
import pathlib
import subprocess
import sys

SENT = {"1-1?:1.29.0": ["0.100", "0.200"], "1-1?:2.29.0": ["5.000", "6.000"]}
segments = [
    "UNB+UNOC:3+4012345000023:14+9900123000003:500+261128:0800+R1",
    "UNH+1+MSCONS:D:04B:UN:2.4c",
    "BGM+7+D1+9",
    "DTM+137:202611280800?+00:303",
    "NAD+MS+4012345000023::9",
    "NAD+MR+9900123000003::293",
    "UNS+D",
    "NAD+DP",
    "LOC+172+DE0001234567890000000000000000001",
]
for line, (code, values) in enumerate(SENT.items(), 1):
    segments += [f"LIN+{line}", f"PIA+5+{code}:SRW"]
    for quarter, value in enumerate(values):
        segments += [
            f"QTY+220:{value}",
            f"DTM+163:2026112700{15 * quarter:02}?+00:303",
            f"DTM+164:2026112700{15 * quarter + 15:02}?+00:303",
        ]
segments += [f"UNT+{len(segments)}+1", "UNZ+1+R1"]
pathlib.Path("values.txt").write_text("UNA:+.? '" + "'".join(segments) + "'")

convert = "venv/bin/python -m msconsconverter convert --input-file values.txt --output-directory out"
subprocess.run(convert.split(), check=True, capture_output=True)
[made] = pathlib.Path("out").glob("*.csv")
with open(made) as file:
    rows = list(csv.DictReader(file))
for row in rows:
    print(row["DATE_PERIOD_START"], row["DATE_PERIOD_END"], row["VALUE"])
sent = sum(float(value) for values in SENT.values() for value in values)
got = sum(float(row["VALUE"]) for row in rows)
print(f"in the message: 4 values, {sent:.3f} kWh; in the CSV: {len(rows)} rows, {got:.3f} kWh")
directed = any(code in str(row) for row in rows for code in ("1.29.0", "2.29.0"))
print("columns:", *rows[0])

if len(rows) == 4:
    sys.exit("CHANGED: one row for each value")
if directed:
    sys.exit("CHANGED: the direction is in the CSV")
if (len(rows), f"{got:.3f}") != (15, "52.100"):
    sys.exit("CHANGED: other rows than before")
print("as stated")
EOF
venv/bin/python try.py
