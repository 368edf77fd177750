"""
The figures worked out anew with pandas from the raw records of the journal: it shares no line with reporting.

Whatever the reports say must be what this says, to the last digit. Rows of events become a frame for each kind of
thing, with a numerator and a denominator column a figure; groups are sums of these columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from services.chassis.ids import derived_id

HOUR = 3_600_000_000
BY = ("region", "engineer", "model", "type", "channel")
EMPTY = pd.Timestamp(0, tz="UTC")


class Events:
    """The public records of a journal, by type."""

    def __init__(self, records: Iterable[bytes]) -> None:
        told: dict[str, list[dict[str, Any]]] = {}
        for number, record in enumerate(records):
            said = json.loads(record)
            at = pd.Timestamp(said["time"]).value // 1_000
            facts = {"at": at, "via": said.get("channel", "api"), "number": number, "record": said["id"]}
            told.setdefault(said["type"], []).append(said["data"] | facts)
        self._told = told

    def of(self, *types: str, **defaults: Any) -> pd.DataFrame:
        """In the order in which they were recorded; what a record leaves out has its default."""
        rows = sorted((row for name in types for row in self._told.get(name, [])), key=lambda row: row["number"])
        rows = [defaults | row for row in rows]
        return pd.DataFrame(rows or [], columns=None if rows else ["at", "number", "via", *KEYS, *defaults])


KEYS = ("request_id", "order_id", "visit_id", "engineer_id", "complaint_id", "part_id", "month")


def _put(frame: pd.DataFrame, name: str, series: pd.Series, missing: Any = None) -> None:
    found = series.reindex(frame.index)
    frame[name] = found.astype(object).where(found.notna(), missing)


def requests(e: Events) -> pd.DataFrame:
    received = e.of("RequestReceived", device_id="", device_model="").groupby("request_id")
    frame = pd.DataFrame(index=received.size().index)
    names = {
        "region": "region",
        "model": "device_model",
        "type": "request_type",
        "channel": "via",
        "device": "device_id",
    }
    for name, field in names.items():
        _put(frame, name, received[field].last())
    _put(frame, "received", received["at"].min())
    _put(frame, "assigned", e.of("OrderAssigned").groupby("request_id")["at"].min())
    arrivals = e.of("EngineerArrived")
    first = arrivals.sort_values(["at", "number"]).drop_duplicates("request_id").set_index("request_id")
    _put(frame, "arrived", first["at"])
    _put(frame, "planned", first["planned_at"].map(lambda at: pd.Timestamp(at).value // 1_000))
    _put(frame, "visits", arrivals.groupby("request_id").size(), 0)
    done = e.of("ServiceCompleted").groupby("request_id")
    _put(frame, "completed", done["at"].min())
    _put(frame, "completions", done.size(), 0)
    _put(frame, "rating", done["rating"].last())
    remote = e.of("RequestResolvedRemotely", first_contact=False).groupby("request_id")
    _put(frame, "remote", remote["at"].min())
    _put(frame, "resolutions", remote.size(), 0)
    _put(frame, "first_contact", remote["first_contact"].max(), False)
    _put(frame, "reopenings", e.of("RequestReopened").groupby("request_id").size(), 0)
    merges = e.of("RequestMerged", "RequestUnmerged").groupby("request_id").size()
    _put(frame, "merged", merges % 2 == 1, False)
    for name, kind in (("withdrawn", "RequestWithdrawn"), ("cancelled", "OrderCancelled")):
        _put(frame, name, e.of(kind).groupby("request_id").size() > 0, False)
    for name, kind in (("overdue", "AssignmentOverdue"), ("refused", "AcceptanceRefused"), ("surveyed", "SurveySent")):
        _put(frame, name, e.of(kind).groupby("request_id").size() > 0, False)
    _put(frame, "complained", e.of("ComplaintRaised", request_id="").groupby("request_id").size() > 0, False)
    said = e.of("FeedbackReceived", recommends=None)
    last = said.drop_duplicates("request_id", keep="last").set_index("request_id")
    for name in ("attitude", "outcome", "punctuality", "recommends"):
        _put(frame, name, last[name])
    sent = e.of("OrderAssigned", "OrderReassigned").groupby("request_id")["engineer_id"].last()
    _put(frame, "sent", sent, "")
    _put(frame, "engineer", done["engineer_id"].last())
    frame["engineer"] = frame["engineer"].where(frame["engineer"].notna(), frame["sent"])
    return frame


def orders(e: Events) -> pd.DataFrame:
    opened = e.of("OrderOpened", device_model="", region="", request_type="").groupby("order_id")
    frame = pd.DataFrame(index=opened.size().index)
    names = {"request": "request_id", "region": "region", "model": "device_model", "type": "request_type"}
    for name, field in names.items():
        _put(frame, name, opened[field].last())
    _put(frame, "opened", opened["at"].min())
    assigned = e.of("OrderAssigned").groupby("order_id")
    _put(frame, "assigned", assigned["at"].min())
    _put(frame, "first", assigned["engineer_id"].first(), "")
    _put(frame, "by_rule", assigned["chosen_by"].last() == "rule", False)
    sent = e.of("OrderAssigned", "OrderReassigned").groupby("order_id")
    _put(frame, "sent", sent["engineer_id"].last(), "")
    _put(frame, "travel", sent["travel_m"].last())
    _put(frame, "changes", e.of("OrderReassigned", "OrderDeclined").groupby("order_id").size(), 0)
    _put(frame, "arrived", e.of("EngineerArrived").groupby("order_id")["at"].min())
    done = e.of("ServiceCompleted").groupby("order_id")
    _put(frame, "completed", done["at"].min())
    _put(frame, "served", done["engineer_id"].last(), "")
    aborted = e.of("VisitAborted")
    lacking = aborted[aborted["reason"].isin(["part-missing", "not-repairable-here"])]
    _put(frame, "lacking", lacking.groupby("order_id").size() > 0, False)
    for name, field in (("gross", "gross"), ("paid", "customer")):
        charged = e.of("ServiceCharged").groupby("order_id")[f"{field}_fen"].sum()
        corrected = e.of("ChargeCorrected").groupby("order_id")[f"{field}_diff_fen"].sum()
        _put(frame, name, charged.add(corrected, fill_value=0))
    promised = {row.order_id: row.clocks for row in e.of("ClocksStarted", "SlaChanged").itertuples()}
    promises = {(order_id, clock["clock"]) for order_id, clocks in promised.items() for clock in clocks}
    breached: dict[tuple[str, str], bool] = {}
    for row in e.of("SlaBreached", "SlaRestated", "SlaChanged", clock="", differences=()).itertuples():
        if row.clock and isinstance(row.clock, str):
            breached[row.order_id, row.clock] = True
        for one in row.differences or ():
            if one["figure"] == "breached":
                breached[row.order_id, one["clock"]] = one["after"] == "true"
    for clock in ("assign", "arrive", "fix"):
        frame[f"promised_{clock}"] = [(order_id, clock) in promises for order_id in frame.index]
        frame[f"breached_{clock}"] = [breached.get((order_id, clock), False) for order_id in frame.index]
    frame["engineer"] = frame["served"].where(frame["served"] != "", frame["sent"])
    return frame


def visits(e: Events) -> pd.DataFrame:
    told = e.of(
        "EngineerDeparted", "EngineerArrived", "WorkFinished", "VisitAborted", "VisitCancelled", "ServiceCompleted"
    ).groupby("visit_id")
    frame = pd.DataFrame(index=told.size().index)
    for name, field in {"request": "request_id", "order": "order_id", "engineer": "engineer_id"}.items():
        _put(frame, name, told[field].last())
    _put(frame, "departed", e.of("EngineerDeparted").groupby("visit_id")["at"].last())
    _put(frame, "arrived", e.of("EngineerArrived").groupby("visit_id")["at"].last())
    _put(frame, "left", e.of("WorkFinished", "VisitAborted").groupby("visit_id")["at"].last())
    labour = e.of("WorkFinished", labour_s=0).groupby("visit_id")["labour_s"].last()
    _put(frame, "labour", labour[labour > 0])
    _put(frame, "completed", e.of("ServiceCompleted").groupby("visit_id").size() > 0, False)
    planned = e.of("OrderAssigned", "OrderReassigned")
    named = [derived_id("visit", row.order_id, row.record) for row in planned.itertuples()]
    _put(frame, "metres", pd.Series(planned["travel_m"].tolist(), named))
    frame["began"] = frame.departed.fillna(frame.arrived).fillna(frame.left).fillna(0)
    _put(frame, "vain", e.of("VisitAborted", "VisitCancelled").groupby("visit_id").size() > 0, False)
    return frame


class Oracle:
    """What the reports must say of these records."""

    def __init__(self, records: Iterable[bytes], zone: str, begin: datetime, end: datetime, now: datetime) -> None:
        e = Events(records)
        self._known: dict[Any, Any] = {}
        self.zone, self.begin, self.end, self.now = zone, *[pd.Timestamp(one) for one in (begin, end, now)]
        self.engineers = _engineers(e)
        self.r, self.o, self.v = requests(e), orders(e), visits(e)
        self.o["channel"] = self.o["request"].map(self.r["channel"])
        for name in ("model", "type", "channel"):
            self.v[name] = self.v["request"].map(self.r[name])
        self.v["region"] = self.v["engineer"].map(self.engineers["region"]).fillna("")
        self.k = _complaints(e, self.r)
        self.w = _work(e, self.v, self.o)
        self.p = _parts(e, self.o)
        self.s = e.of("StaffSurveyAnswered")
        self.s["region"] = self.s["engineer_id"].map(self.engineers["region"]).fillna("")
        self.lines = {**self._efficiency(), **self._quality(), **self._utilisation(), **self._dispatch()}
        self.lines |= {**self._costs(), **self._complaints(), **self._staff()}

    # A figure: its parts, each (frame, column of time, numerator, denominator), and the scale; or a quantile.

    def _efficiency(self) -> dict[str, Any]:
        r = self.r
        resolved = r.completed.notna() | r.remote.notna()
        given_up = r.withdrawn.astype(bool) | r.merged.astype(bool) | r.cancelled.astype(bool)
        still = (r.completions + r.resolutions <= r.reopenings).astype(bool) & ~given_up
        end = r[["completed", "remote"]].min(axis=1)
        first = r.remote.notna() & r.first_contact.astype(bool) & (r.reopenings == 0)
        rows = {
            "requests_received": (True, None),
            "requests_completed": (r.completed.notna(), None),
            "arrivals_on_time_share": (r.arrived.notna() & _le(r.arrived, r.planned), r.arrived.notna()),
            "resolution_share": (resolved, resolved | ~given_up),
            "first_contact_share": (first, resolved),
            "complained_share": (r.complained, True),
            "requests_open": (still, None),
            "requests_overdue": (still & r.overdue.astype(bool) & r.assigned.isna(), None),
            "missed_share": (still & r.overdue.astype(bool) & r.assigned.isna(), True),
            "requests_ever_overdue": (r.overdue, None),
        }
        found = {("efficiency", name): ([(r, "received", *pair)], 1) for name, pair in rows.items()}
        for name, column in {
            "assign": r.assigned,
            "arrive": r.arrived,
            "complete": r.completed,
            "resolve": end,
        }.items():
            found |= _spread("efficiency", name, r, "received", r.received, column)
        return found

    def _quality(self) -> dict[str, Any]:
        r = self.r
        ratings = [r.rating, r.attitude, r.outcome, r.punctuality]
        bad = _any(_le(one, 2) for one in ratings)
        rated, answered = _any(one.notna() for one in ratings), r.attitude.notna()
        later = {of: sorted(one.received) for of, one in r.groupby(["device", "type"])}
        month = 30 * 24 * HOUR
        again = [
            bool(row.device) and row.completed is not None
            and any(row.completed < at <= row.completed + month for at in later[row.device, row.type])
            for row in r.itertuples()
        ]  # fmt: skip
        asked = r.recommends.notna()
        points = r.recommends.map(lambda one: 0 if pd.isna(one) else (one >= 9) - (one <= 6))
        rows = {
            "requests_completed": (True, None),
            "rating_mean": (r.rating.fillna(0), r.rating.notna()),
            "csat_share": (
                sum(_ge(one, 4).astype(int) for one in ratings),
                sum(x.notna().astype(int) for x in ratings),
            ),
            "surveys_sent": (r.surveyed, None),
            "surveys_answered": (answered, None),
            "survey_response_share": (answered, r.surveyed),
            **{f"{n}_mean": (r[n].fillna(0), answered) for n in ("attitude", "outcome", "punctuality")},
            "bad_review_share": (bad, rated),
            "acceptance_refused_share": (r.refused, True),
            "first_time_fix_share": ((r.visits == 1) & (r.reopenings == 0), True),
            "several_visits_share": (r.visits > 1, True),
            "repeat_repair_share": (pd.Series(again, r.index), r.device != ""),
            "reopened_share": (r.reopenings > 0, True),
        }
        found = {("quality", name): ([(r, "completed", *pair)], 1) for name, pair in rows.items()}
        found["quality", "recommend_share"] = ([(r, "completed", asked & _ge(r.recommends, 9), asked)], 1)
        return found | {("quality", "nps"): ([(r, "completed", points, asked)], Fraction(100))}

    def _utilisation(self) -> dict[str, Any]:
        v = self.v
        known = v.engineer.map(self.engineers["shifts"]).map(lambda one: bool(one) if isinstance(one, list) else False)
        site = (v.left - v.arrived).where(v.left.notna() & v.arrived.notna(), 0)
        way = (v.arrived - v.departed).where(v.departed.notna() & v.arrived.notna(), 0)
        busy = (site + way).where(known, 0)
        hours = Fraction(1, HOUR)
        there, trips = (v, "arrived"), (v, "departed")
        rows: dict[str, Any] = {
            "engineers": ([("people", 1, None)], 1),
            "visits": ([(*there, True, None)], 1),
            "visits_completed": ([(*there, v.completed, None)], 1),
            "visits_completed_per_engineer": ([(*there, v.completed, 0), ("people", 0, 1)], 1),
            "on_site_h": ([(*there, site, "one")], hours),
            "travel_h": ([(*there, way, "one")], hours),
            "shift_h": ([("shift", 1, "one")], hours),
            "busy_share": ([(*there, busy, 0), ("shift", 0, 1)], 1),
            "idle_share": ([(*there, -busy, 0), ("shift", 1, 1)], 1),
            "travel_share": ([(*there, way, site + way)], 1),
            "trips": ([(*trips, True, None)], 1),
            "empty_trips": ([(*trips, v.vain, None)], 1),
            "empty_trips_share": ([(*trips, v.vain, True)], 1),
        }
        return {("utilisation", name): row for name, row in rows.items()}

    def _dispatch(self) -> dict[str, Any]:
        o = self.o
        assigned, done = o["first"] != "", o.completed.notna()
        accurate = done & assigned & (o.served == o["first"]) & ~o.lacking.astype(bool)
        rows: dict[str, Any] = {
            "orders_opened": (True, None),
            "orders_assigned": (assigned, None),
            "orders_completed": (done, None),
            "dispatch_accuracy_share": (accurate, done),
            "by_rule_share": (o.by_rule.astype(bool) & assigned, assigned),
            "changed_share": ((o.changes > 0) & assigned, assigned),
        }
        for clock, at in {"assign": o.assigned, "arrive": o.arrived, "fix": o.completed}.items():
            broken = o[f"breached_{clock}"]
            judged = o[f"promised_{clock}"] & (at.notna() | broken)
            rows[f"sla_{clock}_share"] = (judged & ~broken, judged)
        found = {("dispatch", name): ([(o, "opened", *pair)], 1) for name, pair in rows.items()}
        travel = [(o, "opened", o.travel.fillna(0), o.travel.notna())]
        return found | {("dispatch", "travel_km_mean"): (travel, Fraction(1, 1000))}

    def _costs(self) -> dict[str, Any]:
        o, w, p = self.o, self.w, self.p
        charged = o.gross.notna()
        labour = ([(w, "done", w.cost, "one")], Fraction(1, 3600), [(w, "done", w.timed)])
        pieces = p.quantity * p.cost.fillna(0)
        done = (o, "completed")
        small, way = Fraction(1, 18_000), w.seconds * 5 + w.driven * 18
        gone = [(w, "done", w.on_way)]
        costs = [(w, "done", w.cost * 5 + way, 0), (p, "done", pieces * 18_000, 0)]
        left = [(frame, at, -column, below) for frame, at, column, below in costs]
        whole = (*done, 0, True)
        rows: dict[str, Any] = {
            "orders_completed": ([(*done, True, None)], 1),
            "orders_charged": ([(*done, charged, None)], 1),
            "revenue_fen": ([(*done, o.gross.fillna(0), None)], 1, [(*done, charged)]),
            "customer_fen": ([(*done, o.paid.fillna(0), None)], 1, [(*done, charged)]),
            "revenue_fen_per_order": ([(*done, o.gross.fillna(0), charged)], 1),
            "labour_cost_fen": labour,
            "visits_without_cost": ([(w, "done", w.left.notna() & ~w.vain.astype(bool) & ~w.timed, None)], 1),
            "travel_cost_fen": ([(w, "done", way, "one")], small, gone),
            "trips_without_cost": ([(w, "done", w.departed.notna() & ~w.on_way, None)], 1),
            "travel_cost_fen_per_order": ([(w, "done", way, 0), whole], small, gone),
            "parts_cost_fen": ([(p, "done", pieces, None)], 1, [(p, "done", p.cost.notna())]),
            "pieces_without_cost": ([(p, "done", p.quantity.where(p.cost.isna(), 0), None)], 1),
            "parts_cost_fen_per_order": (
                [(p, "done", pieces, 0), (*done, 0, True)],
                1,
                [(p, "done", p.cost.notna())],
            ),
            "service_cost_fen_per_order": ([*costs, whole], small, labour[2]),
            "contribution_fen_per_order": ([*left, (*done, o.gross.fillna(0) * 18_000, 0), whole], small, labour[2]),
        }
        return {("costs", name): row for name, row in rows.items()}

    def _complaints(self) -> dict[str, Any]:
        k, r = self.k, self.r
        closed = k.closed.notna()
        rows = {
            "complaints": (True, None),
            "complaints_closed": (closed, None),
            "complaints_withdrawn": (k.withdrawn, None),
            "complaints_resolved_share": (closed, k.withdrawn.ne(True)),
            "complaints_late_share": (k.late, True),
            "complaints_founded_share": (closed & (k.cause != "unfounded"), closed),
        }
        found = {("complaints", name): ([(k, "raised", *pair)], 1) for name, pair in rows.items()}
        rate = [(k, "raised", True, 0), (r, "received", 0, True)]
        spread = _spread("complaints", "close", k, "raised", k.raised, k.closed)
        return found | {("complaints", "complaints_per_request"): (rate, 1)} | spread

    def _staff(self) -> dict[str, Any]:
        s = self.s
        rows: dict[str, Any] = {f"{name}_mean": (s[name], True) for name in ("content", "workload", "support")}
        rows |= {"staff_answers": (True, None), "staff_content_share": (s.content >= 4, True)}
        return {("staff", name): ([(s, "at", *pair)], 1) for name, pair in rows.items()}

    # Groups.

    def answers(self, report: str, figure: str, by: str, period: str) -> dict[tuple[str, str], tuple[Any, ...]]:
        """By group: the figure exact, its numerator and its denominator."""
        asked = (report, figure, by, period)
        if asked not in self._known:
            self._known[asked] = self._answers(*asked)
        return self._known[asked]

    def _answers(self, report: str, figure: str, by: str, period: str) -> dict[tuple[str, str], tuple[Any, ...]]:
        line = self.lines[report, figure]
        if line[0] == "quantile":
            return self._quantiles(*line[1:], by, period)
        parts, scale, *known = line
        if any(isinstance(part[0], str) for part in parts) and by not in ("", "region", "engineer"):
            return {}
        top, below = self._sums([(*part[:-2], part[-2]) for part in parts], by, period), {}
        plain, single = parts[0][-1] is None, isinstance(parts[0][-1], str)
        if not plain and not single:
            below = self._sums([(*part[:-2], part[-1]) for part in parts], by, period)
        measured = self._sums(known[0], by, period) if known else None
        found = {}
        for key in {*top, *below, *(measured or {})}:
            numerator = top.get(key, 0)
            whole = numerator if plain else 1 if single else below.get(key, 0)
            if measured is not None and not measured.get(key, 0):
                found[key] = (None, None if plain else numerator, None if plain else whole)
            elif plain:
                found[key] = (numerator, numerator, None)
            else:
                found[key] = (scale * Fraction(numerator, whole) if whole else None, numerator, whole)
        return found

    def _sums(self, parts: list[tuple[Any, ...]], by: str, period: str) -> dict[tuple[str, str], int]:
        sums: dict[tuple[str, str], int] = {}
        for part in parts:
            if isinstance(part[0], str):
                found = self._shifts(part[0], by, period) if part[1] else {}
            else:
                frame, column, values = part
                value = pd.Series(values, frame.index).fillna(0).astype(int)
                keys = self._keys(frame, column, by, period)
                found = value[keys.index].groupby([keys.value, keys.period]).sum().to_dict()
            for key, total in found.items():
                sums[key] = sums.get(key, 0) + int(total)
        return sums

    def _keys(self, frame: pd.DataFrame, column: str, by: str, period: str) -> pd.DataFrame:
        asked = (id(frame), column, by, period)
        if asked not in self._known:
            self._known[asked] = self._keys_of(frame, column, by, period)
        return self._known[asked].copy()

    def _keys_of(self, frame: pd.DataFrame, column: str, by: str, period: str) -> pd.DataFrame:
        at = frame[column]
        at = at[at.notna()].astype("int64")
        at = at[(at >= self.begin.value // 1_000) & (at < self.end.value // 1_000)]
        local = pd.to_datetime(at, unit="us", utc=True).dt.tz_convert(self.zone)
        keys = pd.DataFrame({"period": local.map(lambda one: _label(one, period))}, index=at.index)
        keys["value"] = frame.loc[at.index, by].fillna("") if by else ""
        return keys

    def _quantiles(self, part: Fraction, frame: Any, column: str, took: Any, by: str, period: str) -> dict[Any, Any]:
        keys = self._keys(frame, column, by, period)
        took = took[keys.index]
        found = {}
        for key, some in took[took.notna()].groupby([keys.value, keys.period]):
            ordered = sorted(map(int, some))
            place = Fraction(len(ordered) - 1) * part
            low = int(place)
            high = ordered[min(low + 1, len(ordered) - 1)]
            found[key] = ((ordered[low] * (1 - (place - low)) + high * (place - low)) / HOUR, None, len(ordered))
        return found

    def _shifts(self, what: str, by: str, period: str) -> dict[tuple[str, str], int]:
        """Day by day, each shift cut to the range, to now and to the registration; people by whom there is."""
        sums: dict[tuple[str, str], int] = {}
        parts: dict[str, list[Any]] = {}
        day = self.begin.tz_convert(self.zone).date()
        while (begins := pd.Timestamp(day, tz=ZoneInfo(self.zone))) < self.end:
            ends = pd.Timestamp(day + timedelta(days=1), tz=ZoneInfo(self.zone))
            parts.setdefault(_label(begins, period), [begins, ends])[1] = ends
            day += timedelta(days=1)
        for row in self.engineers.itertuples():
            value = {"": "", "region": row.region, "engineer": row.Index}[by]
            for label, (begins, ends) in parts.items():
                if row.since < ends:
                    key = (value, label)
                    one = 1 if what == "people" else self._worked(row, max(begins, row.since), min(ends, self.now))
                    sums[key] = sums.get(key, 0) + one
        if what == "people":
            keys = self._keys(self.v, "arrived", by, period)
            strange = ~self.v.engineer[keys.index].isin(self.engineers.index)
            keys["engineer"] = self.v.engineer[keys.index]
            for key, some in keys[strange].groupby(["value", "period"]):
                sums[key] = sums.get(key, 0) + some.engineer.nunique()
        return sums

    def _worked(self, row: Any, begin: pd.Timestamp, end: pd.Timestamp) -> int:
        total, zone = 0, ZoneInfo(row.zone)
        day = begin.tz_convert(zone).date() - timedelta(days=1)
        while begin < end and pd.Timestamp(day, tz=zone) < end:
            for shift in row.shifts:
                if shift["weekday"] == day.weekday():
                    starts = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(
                        minutes=shift["from_minute"]
                    )
                    over = timedelta(minutes=(shift["to_minute"] - shift["from_minute"]) % 1440)
                    low, high = max(pd.Timestamp(starts), begin), min(pd.Timestamp(starts + over), end)
                    total += max(0, (high.value - low.value) // 1_000)
            day += timedelta(days=1)
        return total


def _label(at: Any, period: str) -> str:
    match period:
        case "day":
            return f"{at:%Y-%m-%d}"
        case "week":
            return f"{at:%G-W%V}"
        case "month":
            return f"{at:%Y-%m}"
    return ""


def _spread(report: str, name: str, frame: Any, column: str, begin: Any, end: Any) -> dict[Any, Any]:
    known = begin.notna() & end.notna()
    took = (end - begin).where(known)
    return {
        (report, f"{name}_h_mean"): ([(frame, column, took.fillna(0), known)], Fraction(1, HOUR)),
        (report, f"{name}_h_median"): ("quantile", Fraction(1, 2), frame, column, took),
        (report, f"{name}_h_p90"): ("quantile", Fraction(9, 10), frame, column, took),
    }


def _le(one: Any, other: Any) -> pd.Series:
    return pd.to_numeric(one) <= (pd.to_numeric(other) if isinstance(other, pd.Series) else other)


def _ge(one: Any, other: Any) -> pd.Series:
    return pd.to_numeric(one) >= other


def _any(series: Iterable[pd.Series]) -> pd.Series:
    first, *others = series
    for one in others:
        first = first | one
    return first


def _engineers(e: Events) -> pd.DataFrame:
    told = e.of("EngineerRegistered", hour_fen=0, zone="Asia/Shanghai", shifts=()).groupby("engineer_id")
    frame = pd.DataFrame(index=told.size().index)
    frame["since"] = told["at"].first().map(lambda at: pd.Timestamp(at, unit="us", tz="UTC"))
    for name in ("region", "zone", "shifts", "hour_fen"):
        frame[name] = told[name].last()
    return frame


def _complaints(e: Events, r: pd.DataFrame) -> pd.DataFrame:
    raised = e.of("ComplaintRaised", request_id="").set_index("complaint_id")
    frame = pd.DataFrame({"raised": raised["at"], "channel": raised["via"], "request": raised["request_id"]})
    for name in ("region", "engineer", "model", "type"):
        frame[name] = frame["request"].map(r[name]).fillna("")
    closed = e.of("ComplaintClosed").set_index("complaint_id")
    _put(frame, "closed", closed["at"])
    _put(frame, "cause", closed["root_cause"])
    for name, event in (("late", "ComplaintOverdue"), ("withdrawn", "ComplaintWithdrawn")):
        _put(frame, name, e.of(event).groupby("complaint_id").size() > 0, False)
    return frame


def _words(e: Events, kind: str, whose: str, dated: str, *names: str) -> dict[str, list[tuple[int, tuple[int, ...]]]]:
    """From when on each of these has which costs, in the order in which it was said."""
    told: dict[str, list[tuple[int, tuple[int, ...]]]] = {}
    for row in e.of(kind, **{name: 0 for name in names}, **{dated: None}).itertuples():
        said, costs = told.setdefault(getattr(row, whose), []), tuple(int(getattr(row, name)) for name in names)
        since = getattr(row, dated) if pd.notna(getattr(row, dated)) else None
        if since or costs != (said[-1][1] if said else tuple(0 for _ in names)):
            said.append((pd.Timestamp(since).value // 1_000 if since else row.at, costs))
    return told


def _that_day(said: list[tuple[int, tuple[int, ...]]], at: int, names: int) -> tuple[int, ...]:
    """The last word that holds by then."""
    return next((costs for since, costs in reversed(said) if since <= at), (0,) * names)


def _work(e: Events, v: pd.DataFrame, o: pd.DataFrame) -> pd.DataFrame:
    """Visits, grouped as their orders are."""
    frame = v[["order", "labour", "left", "vain", "departed", "arrived"]].copy()
    words = _words(e, "EngineerRegistered", "engineer_id", "rates_from", "hour_fen", "km_fen")
    rates = [_that_day(words.get(who, []), at, 2) for who, at in zip(v.engineer, v.began, strict=True)]
    hour, km = (pd.Series([rate[n] for rate in rates], v.index) for n in (0, 1))
    frame["timed"] = frame.labour.notna() & (hour > 0)
    frame["cost"] = (frame.labour.fillna(0) * hour).where(frame.timed, 0)
    frame["on_way"] = v.departed.notna() & v.arrived.notna() & (hour > 0)
    seconds = (v.arrived.fillna(0).astype("int64") - v.departed.fillna(0).astype("int64")) // 1_000_000
    frame["seconds"] = (seconds * hour).where(frame.on_way, 0)
    went = v.departed.notna() | v.arrived.notna()
    frame["driven"] = (v.metres.fillna(0).astype("int64") * km).where(went, 0)
    for name in ("completed", *BY):
        frame["done" if name == "completed" else name] = frame.order.map(o[name])
    return frame


def _parts(e: Events, o: pd.DataFrame) -> pd.DataFrame:
    frame = e.of("PartConsumed")[["order_id", "part_id", "quantity", "at"]].copy()
    words = _words(e, "PartDefined", "part_id", "cost_from", "cost_fen")
    cost = [_that_day(words.get(part, []), at, 1)[0] for part, at in zip(frame.part_id, frame["at"], strict=True)]
    frame["cost"] = [one or None for one in cost]
    for name in ("completed", *BY):
        frame["done" if name == "completed" else name] = frame.order_id.map(o[name])
    return frame
