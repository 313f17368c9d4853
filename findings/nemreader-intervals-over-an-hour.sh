#!/usr/bin/env bash
# nemreader 0.9.2 (NEM12, the Australian meter file; the newest for Python 3.11). 1.0.1 has the same grouping: read, not run.
#
# A good guess: `get_data_frame(set_interval=M)`, in minutes (`--set-interval` on its command line), sums a day of
# half-hours to "equally spaced" intervals, as its source says: 24 rows at 60, 12 at 120, one at 1,440, no overlaps.
# Instead: beyond 60 the rows stay hourly sums, and only their start moves back. At 1,440 there are 24 rows, each said
# to last a day and to start the day before, where the file has no data. At 120 each row has half of the energy of its
# two hours. There is no message, and the total of the file is right, so that a check of the total finds nothing.
# Hurt: who asks for days or for two-hour blocks of a tariff: the first row of "28 November" holds one hour, dated 27.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary nemreader==0.9.2
cd "$here"

cat > try.py << 'EOF'
import sys

from nemreader import NEMFile

half_hours = ",".join(["0.5"] * 48)  # one kWh an hour
with open("day.csv", "w") as file:
    file.write("100,NEM12,202611290000,MDP1,RETAIL\n")
    file.write("200,NEM1201009,E1,1,E1,N1,METSER1,kWh,30,\n")
    file.write(f"300,20261128,{half_hours},A,,,20261129000000,\n")
    file.write("900\n")

seen = {}
for minutes in 60, 120, 1440:
    rows = NEMFile("day.csv").get_data_frame(set_interval=minutes)
    first = rows.iloc[0]
    overlaps = int((rows.t_start.iloc[1:].values < rows.t_end.iloc[:-1].values).sum())
    print(f"set_interval={minutes}: {len(rows)} rows, {rows.value.sum()} kWh, {overlaps} overlaps;",
          f"the first: {first.t_start} to {first.t_end}, {first.value} kWh")
    seen[minutes] = (len(rows), overlaps, str(first.t_start), float(first.value))

if seen[60] != (24, 0, "2026-11-28 00:00:00", 1.0):
    sys.exit("CHANGED: hours come out differently")
if seen[120] != (24, 23, "2026-11-27 23:00:00", 1.0) or seen[1440] != (24, 23, "2026-11-27 01:00:00", 1.0):
    sys.exit("CHANGED: intervals beyond an hour come out differently")
print("as stated")
EOF
venv/bin/python try.py
