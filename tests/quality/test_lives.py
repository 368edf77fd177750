"""Over ninety days, alerts are raised once, followed, closed and ended exactly when the oracle says so."""

from datetime import timedelta
from random import Random

import pytest

from contracts.quality import QualityAlertRecovered
from quality.commands import CloseAlert, FollowAlert, JudgeAlert
from quality.domain import alert
from quality.domain.alert import DEFAULTS, alert_id, alert_stream
from quality.domain.weeks import windows
from quality.projections.served import by_subject, counts_of
from services.chassis.journal.rules import States
from tests.quality import oracle
from tests.quality.test_figures import CHARTED, KINDS, MONDAY, WATCHED, Figures, devices, history, registered, told

MONDAYS = [MONDAY - timedelta(days=7 * back) for back in range(11, -1, -1)]


def closed_by(subject, raised):
    """A person closes some of them two days later, and leaves the others to recover."""
    return raised + timedelta(days=2) if (sum(subject.encode()) + raised.toordinal()) % 3 == 0 else None


class Alerts:
    """The decisions of all alerts of a kind, one after the other."""

    def __init__(self, kind, of, rules):
        self.kind, self.of, self.rules = kind, of, rules
        self.states, self.closing = {}, {}

    def _decided(self, subject, decide, command):
        state = self.states.get(subject, alert.INITIAL)
        events = decide(state, command)
        for event in events:
            state = alert.evolve(state, event)
        self.states[subject] = state
        return events

    def closed(self, until):
        for subject, day in list(self.closing.items()):
            if day <= until and isinstance(self.states[subject], alert.Raised):
                of = {"alert_id": alert_id(self.kind, self.of, subject)}
                self._decided(subject, alert.follow, FollowAlert(**of, owner_id="m", measure="training"))
                self._decided(subject, alert.close, CloseAlert(**of, effect="good", today=day))
            if day <= until:
                del self.closing[subject]

    def judged(self, subject, counts, baseline):
        id = alert_id(self.kind, self.of, subject)
        of = {"alert_id": id, "kind": self.kind, "of": self.of, "subject": subject}
        command = JudgeAlert(**of, windows=counts, baseline=baseline)

        def decide(state, command):
            return alert.judge(States({alert_stream(id): state, alert.RULES_STREAM: self.rules}, {}), command)

        return self._decided(subject, decide, command)


@pytest.mark.parametrize("rules", [DEFAULTS, CHARTED], ids=["percent", "control-chart"])
@pytest.mark.parametrize("of", WATCHED)
@pytest.mark.parametrize("kind", KINDS)
def test_alerts_live_as_the_oracle_says(kind, of, rules):
    visits = history(Random(20261124))
    events = [event for late in (False, True) for visit in visits for event in told(visit, late)]
    alerts, seen = Alerts(kind, of, rules), []
    with Figures([*events, *registered(), *devices()]) as figures:
        for monday in MONDAYS:
            alerts.closed(monday)
            weeks = windows(kind, rules, monday)
            baseline = figures.baseline(kind, of, weeks, rules)
            found = [by_subject(figures.rows(kind, of, week)) for week in weeks]
            said = []
            for subject in sorted(found[-1]):
                counts = tuple([counts_of(subject, week, rows) for week, rows in zip(weeks, found, strict=True)])
                for event in alerts.judged(subject, counts, baseline):
                    what = "recovered" if isinstance(event, QualityAlertRecovered) else "raised"
                    said.append((what, monday, subject))
                    if what == "raised" and (day := closed_by(subject, monday)):
                        alerts.closing[subject] = day
            seen += [(monday, subject, what) for what, _, subject in sorted(said)]
    charted = CHARTED.baseline_weeks if rules is CHARTED else 0
    expected = oracle.lives(kind, of, visits, MONDAYS, closed_by, charted)
    assert sorted(seen) == sorted(expected)
    # An oracle that finds nothing would agree with anything; over whole regions and models they even out.
    assert expected or (kind == "bad-rating" and of in ("region", "device_model", "device_supplier"))
