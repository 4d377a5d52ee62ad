"""Makes rules.txt: random rules and what python-dateutil says of them.

    pip install python-dateutil; python3 rules.py > rules.txt

A line is RULE|DTSTART|first occurrences in the window|number in the window; windows are written as
FROM/TO. Left out is what dateutil does otherwise than RFC 5545 says: BYWEEKNO without BYDAY (the
weekday of the start), BYDAY with and without ordinals in one rule, and starts that the rule would
not lead to (the start counts).
"""

import datetime
import itertools
import random
import signal

from dateutil.rrule import rrulestr

random.seed(5545)
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
FREQUENCIES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]


def some(values, most=4):
    return ",".join(str(v) for v in sorted(random.sample(list(values), random.randint(1, most))))


def signed(most):
    return [n for n in range(-most, most + 1) if n]


def rule():
    frequency = random.choice(FREQUENCIES[:4] * 3 + FREQUENCIES[4:])
    parts = ["FREQ=" + frequency]
    coarse = frequency in FREQUENCIES[:4]
    if random.random() < 0.5:
        parts.append("INTERVAL=%d" % random.choice([2, 3, 4, 5, 7, 13, 40] + ([] if coarse else [1000, 86401])))
    if random.random() < 0.3:
        parts.append("BYMONTH=" + some(range(1, 13)))
    if frequency == "YEARLY" and random.random() < 0.2:
        parts.append("BYWEEKNO=" + some(signed(53)))
        parts.append("BYDAY=" + some(DAYS))
    elif frequency in ("YEARLY", "MONTHLY") and random.random() < 0.4:
        most = 5 if frequency == "MONTHLY" or "BYMONTH" in " ".join(parts) else 53
        parts.append("BYDAY=" + some(["%d%s" % (n, d) for d in DAYS for n in signed(most)]))
    elif random.random() < 0.3:
        parts.append("BYDAY=" + some(DAYS))
    if frequency not in ("WEEKLY",) and random.random() < 0.3:
        parts.append("BYMONTHDAY=" + some(signed(31)))
    if frequency not in ("WEEKLY", "MONTHLY", "DAILY") and random.random() < 0.15:
        parts.append("BYYEARDAY=" + some(signed(366), 20))
    if random.random() < 0.3:
        parts.append("BYHOUR=" + some(range(24)))
    if random.random() < 0.3:
        parts.append("BYMINUTE=" + some(range(60)))
    if random.random() < 0.2:
        parts.append("BYSECOND=" + some(range(60)))
    if any(p.startswith("BY") for p in parts) and random.random() < 0.25:
        parts.append("BYSETPOS=" + some(signed(6), 2))
    if random.random() < 0.3:
        parts.append("WKST=" + random.choice(DAYS))
    return ";".join(parts)


def stamp(moment):
    return moment.strftime("%Y%m%dT%H%M%S")


class TooSlow(Exception):
    """dateutil counts one by one."""


def give_up(*_):
    raise TooSlow


def main():
    signal.signal(signal.SIGALRM, give_up)
    made = 0
    while made < 900:
        line = None
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            line = case(rule())
            signal.setitimer(signal.ITIMER_REAL, 0)
        except (TooSlow, ValueError):
            continue
        if line:
            print(line)
            made += 1


def case(text):
    start = datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=random.randrange(400 * 86400))
    fine = "SECONDLY" in text or "MINUTELY" in text or "HOURLY" in text
    # The first that it leads to, for otherwise the start would be one more; dateutil gives up late.
    probe = rrulestr("DTSTART:%s\nRRULE:%s" % (stamp(start), text))
    horizon = start + datetime.timedelta(days=40 if fine else 3000)
    first = probe.after(start - datetime.timedelta(seconds=1)) if not fine else next(
        itertools.takewhile(lambda m: m < horizon, probe), None)
    if first is None or first > horizon:
        return None
    if random.random() < 0.3:
        text += ";COUNT=%d" % random.choice([1, 2, 3, 10, 50])
    # Whatever INTERVAL and COUNT count from moves with the start.
    series = rrulestr("DTSTART:%s\nRRULE:%s" % (stamp(first), text))
    if next(iter(series), None) != first:
        return None
    begin = first + datetime.timedelta(days=random.choice([0, 1, 5] if fine else [0, 50, 700, 2500]))
    end = begin + datetime.timedelta(days=2 if fine else random.choice([30, 400, 1500]))
    found = [m for m in itertools.takewhile(lambda m: m < end, series) if m >= begin]
    shown = ",".join(stamp(m) for m in found[:6])
    return "|".join([text, stamp(first), "%s/%s" % (stamp(begin), stamp(end)), shown, str(len(found))])


main()
