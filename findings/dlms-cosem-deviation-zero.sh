#!/usr/bin/env bash
# dlms-cosem 25.1.0 (DLMS/COSEM for Python), with amshan 2.1.1 for comparison.
#
# A good guess: a date-time of 12 bytes, as meters send it, keeps its offset from UTC. Its bytes 10 and 11 are the
# deviation, in minutes of local time to UTC, from -720 to 720; 0x8000 means "not specified" (the DLMS Blue Book,
# "Date and time formats"; the library's own comments say the same).
# Instead: a deviation of 0 is taken for "not specified". British and Portuguese winter time and clocks that keep UTC
# give a datetime without a zone, which Python takes for the time of the machine that runs; summer's -60 gives one with
# a zone. Encoded again, the 0 has become 0x8000. amshan reads the same twelve bytes as UTC.
# On 25 October 2026 it is 01:00 twice in London. The two datetimes cannot be compared. Turned into UTC on a machine in
# Amsterdam, the second comes out at 23:00 of the day before, two hours too early and before the first.
# Hurt: who reads British, Irish or Portuguese meters, or meters on UTC. Winter's readings move with the machine's zone.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary dlms-cosem==25.1.0 amshan==2.1.1
cd "$here"

cat > try.py << 'EOF'
import sys
from datetime import timezone

from dlms_cosem.time import datetime_from_bytes, datetime_to_bytes
from han.cosem import DateTime

summer = bytes.fromhex("07ea0a19 07 01000000 ffc4 80")  # Sunday, 25 October 2026, 01:00, deviation -60, summer time
winter = bytes.fromhex("07ea0a19 07 01000000 0000 00")  # an hour later: 01:00, deviation 0
seen = {}
for name, sent in ("summer", summer), ("winter", winter):
    moment, status = datetime_from_bytes(sent)
    again = datetime_to_bytes(moment, status)
    utc = moment.astimezone(timezone.utc).isoformat()
    other = DateTime.parse(b"\x0c" + sent).datetime.astimezone(timezone.utc).isoformat()
    print(f"{name}: {moment.isoformat()}; in UTC on a machine in Amsterdam {utc}, by amshan {other};",
          f"deviation sent {sent[9:11].hex()}, encoded again {again[9:11].hex()}")
    seen[name] = (moment, utc, other, again[9:11].hex())
try:
    order = str(seen["summer"][0] < seen["winter"][0])
except TypeError as error:
    order = f"TypeError: {error}"
print("summer's reading before winter's:", order)

if seen["summer"][1:] != ("2026-10-25T00:00:00+00:00", "2026-10-25T00:00:00+00:00", "ffc4"):
    sys.exit("CHANGED: the reading in summer time comes out differently")
if seen["winter"][2] != "2026-10-25T01:00:00+00:00":
    sys.exit("CHANGED: amshan reads the deviation 0 differently")
if seen["winter"][0].tzinfo is not None or seen["winter"][3] != "8000" or not order.startswith("TypeError"):
    sys.exit("CHANGED: the deviation 0 is kept")
print("as stated")
EOF
TZ=Europe/Amsterdam venv/bin/python try.py
