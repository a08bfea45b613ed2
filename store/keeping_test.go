package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sundew"
)

// person is a store with requests of two devices behind one address, and all that follows from them.
func person(t *testing.T, s Store) {
	t.Helper()
	var events []sundew.Event
	for i := range 6 {
		e := request(int64(i), time.Duration(i)*30*time.Second, "192.0.2.1")
		e.Device, e.Status = []string{"x", "y"}[i%2], []int{200, 404, 500}[i%3]
		events = append(events, e)
	}
	b := batchOf(events...)
	b.Labels = []sundew.Label{
		{Time: at(0), Entity: device("x"), Verdict: sundew.VerdictAbuse, By: "jane", Note: "n"},
		{Time: at(0), Entity: ip("192.0.2.1"), Verdict: sundew.VerdictLegitimate, By: "jane"},
	}
	scores := []sundew.Score{
		{Time: at(0), Entity: device("x"), Points: 70, Event: &events[0]},
		{Time: at(0), Entity: ip("192.0.2.1"), Points: 60, Event: &events[0]},
	}
	narrowed := decision("narrowed", time.Minute, ip("192.0.2.1"), sundew.ActionBlock)
	narrowed.And = []sundew.Entity{device("x")}
	record(t, s, b, scores, []sundew.Decision{decision("own", 0, device("x"), sundew.ActionBlock), narrowed, decision("other", 0, device("y"), sundew.ActionBlock)})
	recordEvaluations(t, s.(EvaluationStore), []Evaluation{
		evaluation(&events[0], device("x"), 1), evaluation(&events[0], ip("192.0.2.1"), 1),
		evaluation(&events[1], device("y"), 1), evaluation(&events[1], ip("192.0.2.1"), 1),
	})
	letters := []sundew.DeadLetter{{Time: at(0), Source: "a", Offset: 1, Line: "dev=x!"}, {Time: at(0), Source: "a", Offset: 2, Line: "dev=y!"}}
	if err := s.RecordDeadLetters(t.Context(), letters); err != nil {
		t.Fatal(err)
	}
}

// testKeeping is what every engine that answers for what it keeps must do.
func testKeeping(t *testing.T, open func(t *testing.T) Store) {
	fresh := func(t *testing.T) (Store, Keeper) {
		s := open(t)
		t.Cleanup(func() { _ = s.Close() })
		return s, s.(Keeper)
	}
	later := at(time.Hour)
	t.Run("one person is erased, and no other", func(t *testing.T) {
		s, keeper := fresh(t)
		person(t, s)
		got, err := keeper.Erase(t.Context(), device("x"), "jane", later)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "erased", got, Erased{Requests: 3, Scores: 1, Evaluations: 2, Decisions: 2, Labels: 1, DeadLetters: 1})
		equal(t, "counts", counts(t, s), Counts{Events: 3, Scores: 1, Decisions: 1, DeadLetters: 1})
		timeline, err := s.Timeline(t.Context(), device("x"), always, 10)
		if err != nil || timeline.Requests != 0 || len(timeline.Scores)+len(timeline.Decisions) != 0 {
			t.Errorf("its timeline: %+v, %v", timeline, err)
		}
		overview, err := s.Overview(t.Context(), span(0, 3*time.Minute), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the overview in step", overview, []sundew.OverviewPoint{
			{Time: at(0), Requests: 1, ClientErrors: 1, Blocked: 1}, {Time: at(time.Minute), Requests: 1}, {Time: at(2 * time.Minute), Requests: 1, ServerErrors: 1},
		})
		equal(t, "evaluations", len(scan(t, s.(EvaluationStore), EvaluationQuery{Range: always})), 2)
		again, err := keeper.Erase(t.Context(), device("x"), "jane", later)
		if err != nil || again != (Erased{}) {
			t.Errorf("once more: %+v, %v", again, err)
		}
	})
	t.Run("what was decided before does not come back", func(t *testing.T) {
		s, keeper := fresh(t)
		person(t, s)
		if _, err := keeper.Erase(t.Context(), device("x"), "jane", later); err != nil {
			t.Fatal(err)
		}
		person(t, s) // as the topics hand it over after a restart
		equal(t, "events and decisions", counts(t, s).Events*10+counts(t, s).Decisions, int64(31))
		record(t, s, sundew.Batch{}, nil, []sundew.Decision{decision("new", 2*time.Hour, device("x"), sundew.ActionBlock)})
		equal(t, "with a new decision", counts(t, s).Decisions, int64(2))
	})
	t.Run("one person is exported", func(t *testing.T) {
		s, keeper := fresh(t)
		person(t, s)
		kinds := map[string]int{}
		err := keeper.Export(t.Context(), device("x"), "jane", later, func(r Record) error {
			kinds[r.Kind]++
			if !json.Valid(r.Record) || strings.Contains(string(r.Record), `"y"`) {
				t.Errorf("%s: %s", r.Kind, r.Record)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "records", maps.Collect(maps.All(kinds)), map[string]int{"request": 3, "score": 1, "evaluation": 2, "decision": 2, "label": 1, "dead_letter": 1})
		equal(t, "counts", counts(t, s), Counts{Events: 6, Scores: 2, Decisions: 3, DeadLetters: 2})
		full := errors.New("disk full")
		if err := keeper.Export(t.Context(), device("x"), "jane", later, func(Record) error { return full }); !errors.Is(err, full) {
			t.Errorf("got %v, want the error of each", err)
		}
	})
	t.Run("the audit says so without a name", func(t *testing.T) {
		s, keeper := fresh(t)
		person(t, s)
		if err := keeper.Export(t.Context(), ip("192.0.2.1"), "joe", at(time.Minute), func(Record) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := keeper.Erase(t.Context(), ip("192.0.2.1"), "jane", at(2*time.Minute)); err != nil {
			t.Fatal(err)
		}
		audit, err := keeper.Audit(t.Context(), 10)
		if err != nil || len(audit) != 2 {
			t.Fatalf("%+v, %v", audit, err)
		}
		first, second := audit[1], audit[0]
		if first.Number != 1 || first.By != "joe" || first.Action != "export" || !first.Time.Equal(at(time.Minute)) || second.By != "jane" || second.Action != "erase" {
			t.Errorf("audit: %+v", audit)
		}
		if strings.Contains(first.Detail+second.Detail, "192.0.2.1") || !strings.Contains(second.Detail, `"requests":6`) {
			t.Errorf("details: %s %s", first.Detail, second.Detail)
		}
		if first.link("") != first.Hash || second.link(first.Hash) != second.Hash {
			t.Error("the chain does not hold")
		}
	})
	t.Run("hostile keys are found again", func(t *testing.T) {
		s, keeper := fresh(t)
		var offset int64
		for name, text := range hostile() {
			e := request(offset, 0, "192.0.2.1")
			e.Account = strings.ToValidUTF8(text[:min(len(text), sundew.MaxID)], "")
			who := sundew.Entity{Kind: sundew.KindAccount, Key: e.Account}
			narrowed := decision(name, 0, ip("192.0.2.1"), sundew.ActionBlock)
			narrowed.And = []sundew.Entity{who}
			record(t, s, batchOf(e), nil, []sundew.Decision{narrowed})
			got, err := keeper.Erase(t.Context(), who, "jane", later)
			if err != nil || got.Requests != 1 || got.Decisions != 1 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			offset++
		}
	})
	t.Run("who asks must say so", func(t *testing.T) {
		s, keeper := fresh(t)
		person(t, s)
		if _, err := keeper.Erase(t.Context(), device("x"), "", later); err == nil {
			t.Error("nobody erased")
		}
		if _, err := keeper.Erase(t.Context(), ip("no address"), "jane", later); err == nil {
			t.Error("what cannot be was erased")
		}
		if err := keeper.Export(t.Context(), device("x"), strings.Repeat("a", 1000), later, func(Record) error { return nil }); err == nil {
			t.Error("a book exported")
		}
		equal(t, "counts", counts(t, s).Events, int64(6))
	})
}

// testLabels is what every engine that keeps labels must do.
func testLabels(t *testing.T, open func(t *testing.T) Store) {
	s := open(t)
	t.Cleanup(func() { _ = s.Close() })
	said := func(after time.Duration, who sundew.Entity, v sundew.Verdict, by string) sundew.Label {
		return sundew.Label{Time: at(after), Entity: who, Verdict: v, By: by, Note: by + " says"}
	}
	first, second := said(0, ip("192.0.2.1"), sundew.VerdictAbuse, "jane"), said(time.Minute, device("x"), sundew.VerdictLegitimate, "joe")
	b := sundew.Batch{Position: sundew.Position{Next: 3}, Labels: []sundew.Label{first, second}}
	for range 2 {
		record(t, s, b, nil, nil)
	}
	changed := first
	changed.Verdict = sundew.VerdictLegitimate
	record(t, s, sundew.Batch{Position: sundew.Position{First: 3, Next: 4}, Labels: []sundew.Label{first, changed}}, nil, nil)
	got, err := s.(LabelStore).Labels(t.Context(), always, 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "labels, newest first", got, []sundew.Label{second, changed})
	got, err = s.(LabelStore).Labels(t.Context(), span(0, time.Minute), 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "labels of a minute", got, []sundew.Label{changed})
}

func TestKeepingInDuckDB(t *testing.T) {
	testKeeping(t, func(t *testing.T) Store { return openDuckDB(t, "") })
}

func TestLabelsInDuckDB(t *testing.T) {
	testLabels(t, func(t *testing.T) Store { return openDuckDB(t, "") })
}

func TestCheckFindsGapsAndForgery(t *testing.T) {
	d := openWith(t, DuckDBConfig{Path: filepath.Join(t.TempDir(), "s.duckdb"), Retention: time.Hour})
	for _, offset := range []int64{5, 6, 9, 20} {
		e := request(offset, time.Duration(offset)*10*time.Minute, "192.0.2.1")
		record(t, d, batchOf(e), nil, nil)
	}
	if _, err := d.Erase(t.Context(), device("x"), "jane", noon); err != nil {
		t.Fatal(err)
	}
	if err := d.Export(t.Context(), device("x"), "jane", noon, func(Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	h, err := d.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "partitions", h.Partitions, []PartitionHealth{{Next: 21, Events: 4, First: 5, Last: 20, Absent: 12, LongestGap: 10, GapAfter: 9}})
	equal(t, "events", h.Tables[0], TableHealth{Name: "events", Rows: 4, Oldest: at(50 * time.Minute), Newest: at(200 * time.Minute), Retention: time.Hour, Beyond: 3})
	if h.Schema != SchemaVersion() || h.Bytes == 0 || h.Audit != "" {
		t.Errorf("%+v", h)
	}
	for _, forgery := range []struct{ statement, want string }{
		{`UPDATE audit SET actor = 'joe' WHERE number = 2`, "entry 2 was changed"},
		{`DELETE FROM audit WHERE number = 1`, "entry 1 is missing"},
	} {
		if _, err := d.db.ExecContext(t.Context(), forgery.statement); err != nil {
			t.Fatal(err)
		}
		if h, err = d.Check(t.Context()); err != nil || !strings.Contains(h.Audit, forgery.want) {
			t.Errorf("%s: %q, %v", forgery.statement, h.Audit, err)
		}
	}
}

func TestTablesHaveTheirOwnRetention(t *testing.T) {
	d := openWith(t, DuckDBConfig{Retention: time.Hour, RetentionOf: map[string]time.Duration{"scores": 0, "minutes": 0, "dead_letters": time.Minute}})
	b := batchOf(request(0, 0, "192.0.2.1"), request(1, 2*time.Hour, "192.0.2.1"))
	record(t, d, b, []sundew.Score{{Time: noon, Entity: ip("192.0.2.1"), Points: 80, Event: &b.Events[0]}}, nil)
	letters := []sundew.DeadLetter{{Time: at(110 * time.Minute), Source: "a"}, {Time: at(2 * time.Hour), Source: "b"}}
	if err := d.RecordDeadLetters(t.Context(), letters); err != nil {
		t.Fatal(err)
	}
	if removed, err := d.Prune(t.Context()); err != nil || removed != 2 {
		t.Errorf("removed %d, %v; want an event and a letter", removed, err)
	}
	equal(t, "counts", counts(t, d), Counts{Events: 1, Scores: 1, DeadLetters: 1})
	overview, err := d.Overview(t.Context(), span(0, time.Hour), time.Hour)
	if err != nil || overview[0].Requests != 1 {
		t.Errorf("the counts of minutes that are kept for ever: %+v, %v", overview, err)
	}
}

func TestOldEventsAreThinnedOnce(t *testing.T) {
	d := openWith(t, DuckDBConfig{Thin: EventThinning{After: time.Hour, Rate: 4}})
	var events []sundew.Event
	for i := range 4000 {
		e := request(int64(i), 0, fmt.Sprintf("203.0.%d.%d", i/4/250, i/4%250))
		if i%1000 == 0 {
			e.EdgeAction = sundew.ActionTarpit
		}
		events = append(events, e)
	}
	events = append(events, request(4000, 2*time.Hour, "192.0.2.1"))
	record(t, d, batchOf(events...), nil, nil)
	removed, err := d.Prune(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if removed < 2800 || removed > 3200 {
		t.Errorf("removed %d of 4000, want about three quarters", removed)
	}
	if again, err := d.Prune(t.Context()); err != nil || again != 0 {
		t.Errorf("once more: %d, %v", again, err)
	}
	kept, err := collect(t.Context(), d.db, `SELECT count(*) FROM events WHERE edge_action = 'tarpit'`, func(r row) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil || kept[0] != 4 {
		t.Errorf("%d requests that an edge acted on are left, %v; want 4", kept[0], err)
	}
	partly, err := collect(t.Context(), d.db, `SELECT count(*) FROM (SELECT client_low FROM events WHERE edge_action = '' AND time = make_timestamp(?) GROUP BY client_low HAVING count(*) NOT IN (3, 4))`,
		func(r row) (n int64, err error) { return n, r.Scan(&n) }, noon.UnixMicro())
	if err != nil || partly[0] != 0 {
		t.Errorf("%d clients are kept in part, %v", partly[0], err)
	}
	overview, err := d.Overview(t.Context(), span(0, time.Hour), time.Hour)
	if err != nil || overview[0].Requests != 4000 {
		t.Errorf("the overview: %+v, %v; want all 4000", overview, err)
	}
}

func TestRetentionOfUnknownTables(t *testing.T) {
	for _, test := range []struct {
		config DuckDBConfig
		want   string
	}{
		{DuckDBConfig{QueryTimeout: 1, RetentionOf: map[string]time.Duration{"event": 1}}, "want events, minutes"},
		{DuckDBConfig{QueryTimeout: 1, RetentionOf: map[string]time.Duration{"events": -1}}, "negative"},
		{DuckDBConfig{QueryTimeout: 1, Retention: -1}, "negative"},
		{DuckDBConfig{QueryTimeout: 1, Thin: EventThinning{Rate: -1}}, "thin"},
	} {
		if err := test.config.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
