package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sundew"
)

var noon = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return noon.Add(d) }

func span(from, to time.Duration) sundew.Range { return sundew.Range{From: at(from), To: at(to)} }

var always = sundew.Range{From: noon.AddDate(-1, 0, 0), To: noon.AddDate(1, 0, 0)}

// request is an event with what every log line says.
func request(offset int64, after time.Duration, client string) sundew.Event {
	e := sundew.NewEvent()
	e.Time, e.Client, e.Offset = at(after), netip.MustParseAddr(client), offset
	e.Method, e.Host, e.Path, e.Status = "GET", "api.example.com", "/orders/17", 200
	return e
}

// fullEvent has every field set, to values that a careless column type would change.
func fullEvent() sundew.Event {
	return sundew.Event{
		Time: noon.Add(123456 * time.Microsecond), Client: netip.MustParseAddr("fe80::ffff:c000:201"), Forwarded: "10.0.0.1, 192.0.2.7",
		Method: "PATCH", Host: "api.example.com", Path: "/a%20b", Query: "q=1&r=%00", Route: "/{a}", Status: 999,
		RequestBytes: math.MaxInt64, ResponseBytes: 0, Duration: 1, UserAgent: "curl/8", Referer: "https://example.com/",
		Device: "3f0e", Account: "ann", APIKey: "k-1", Session: "s-1", JA4: "t13d1516h2_8daaf6152771_b0da82dd1658", Country: "DE",
		ASN: math.MaxUint32, Auth: sundew.OutcomeFailure, AuthUsername: "ab12", Object: "17",
		Attestation: sundew.ProofExpired, AttestationProvider: "app-attest", Signature: sundew.ProofReplayed,
		CaptchaScore: 0.1, DeviceAge: 36 * time.Hour, RequestID: "r-1", Gateway: "gw-1", GatewayEpoch: math.MaxUint64,
		GatewaySequence: 1 << 63, EdgeAction: sundew.ActionTarpit, EdgeDelay: 2500 * time.Millisecond, DecisionID: "d-1",
		Attributes: []sundew.Attribute{{Key: "z", Value: "1"}, {Key: "a", Value: ""}, {Key: "z", Value: "\x00\"👻"}},
		Partition:  0, Offset: 0,
	}
}

func batchOf(events ...sundew.Event) sundew.Batch {
	first, last := events[0], events[len(events)-1]
	return sundew.Batch{Events: events, Position: sundew.Position{Partition: first.Partition, First: first.Offset, Next: last.Offset + 1}}
}

func decision(id string, after time.Duration, e sundew.Entity, action sundew.Action) sundew.Decision {
	return sundew.Decision{
		ID: id, Time: at(after), Entity: e, Action: action, Score: 97.5, Rule: "probe@1", Expires: at(after + time.Hour),
		Version: at(after).UnixMicro(), Basis: sundew.BasisScore, Sentence: "17 of 20 logins failed, 1 expected",
		Evidence: []sundew.Evidence{{Channel: "outcome", Nats: 9.25, Observed: 17, Expected: 1, Window: 10 * time.Minute, Sentence: "17 of 20"}},
	}
}

func ip(key string) sundew.Entity { return sundew.Entity{Kind: sundew.KindIP, Key: key} }

func device(key string) sundew.Entity { return sundew.Entity{Kind: sundew.KindDevice, Key: key} }

func record(t *testing.T, s Store, b sundew.Batch, scores []sundew.Score, ds []sundew.Decision) {
	t.Helper()
	if err := s.Record(t.Context(), b, scores, ds); err != nil {
		t.Fatal(err)
	}
}

func counts(t *testing.T, s Store) Counts {
	t.Helper()
	c, err := s.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func resume(t *testing.T, s Store, partition int32) int64 {
	t.Helper()
	next, err := s.Resume(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// hostile is text that breaks careless storage: each is a value of a field and a key of an entity.
func hostile() map[string]string {
	return map[string]string{
		"zero bytes":        "a\x00b\x00",
		"only a zero byte":  "\x00",
		"quotes":            `'; DROP TABLE events; --"` + "`\\",
		"emoji":             "👩‍👩‍👧🏴‍☠️ é",
		"right to left":     "\u202eabc\u202c\ufeff",
		"noncharacter":      "\uffff\U0010ffff",
		"line breaks":       "a\r\nb\u2028c\td",
		"blank":             " ",
		"twelve bytes":      "abcdefghijkl",
		"thirteen bytes":    "abcdefghijklm",
		"the word null":     "NULL",
		"a number":          "00012e3",
		"as long as it may": strings.Repeat("é", 1<<15),
	}
}

// testStore is what every engine must do. open returns a fresh and empty store, which the suite closes.
func testStore(t *testing.T, open func(t *testing.T) Store) {
	fresh := func(t *testing.T) Store {
		s := open(t)
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return s
	}

	t.Run("an empty store answers", func(t *testing.T) {
		s := fresh(t)
		equal(t, "counts", counts(t, s), Counts{})
		equal(t, "resume", resume(t, s, 3), int64(0))
		top, err := s.TopEntities(t.Context(), always, sundew.KindNone, 10)
		if err != nil || len(top) != 0 {
			t.Errorf("top entities of nothing: %v, %v", top, err)
		}
		timeline, err := s.Timeline(t.Context(), ip("192.0.2.1"), always, 10)
		if err != nil || timeline.Requests != 0 || timeline.Entity != ip("192.0.2.1") {
			t.Errorf("timeline of nobody: %+v, %v", timeline, err)
		}
		if _, found, err := s.Decision(t.Context(), "none"); found || err != nil {
			t.Errorf("decision that is not there: found %v, %v", found, err)
		}
	})

	t.Run("an event comes back as it was", func(t *testing.T) {
		s := fresh(t)
		bare := sundew.NewEvent()
		bare.Time, bare.Client, bare.Offset = noon, netip.MustParseAddr("0.0.0.0"), 1
		want := []sundew.Event{fullEvent(), bare}
		record(t, s, batchOf(want...), nil, nil)
		for i, e := range want {
			timeline, err := s.Timeline(t.Context(), ip(e.Client.String()), always, 10)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("event %d", i), timeline.Events, []sundew.Event{e})
		}
	})

	t.Run("nanoseconds are cut to microseconds", func(t *testing.T) {
		s := fresh(t)
		e := request(0, 1999*time.Nanosecond, "192.0.2.1")
		record(t, s, batchOf(e), nil, nil)
		timeline, err := s.Timeline(t.Context(), ip("192.0.2.1"), always, 1)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "time", timeline.Events[0].Time, at(time.Microsecond))
	})

	t.Run("hostile text survives", func(t *testing.T) { testHostileText(t, fresh(t)) })
	t.Run("the same batch three times counts once", func(t *testing.T) { testRepeats(t, fresh(t)) })
	t.Run("a batch that overlaps adds its new part", func(t *testing.T) { testOverlap(t, fresh(t)) })
	t.Run("rejected lines move the resume point", func(t *testing.T) { testRejected(t, fresh(t)) })
	t.Run("partitions have resume points of their own", func(t *testing.T) { testPartitions(t, fresh(t)) })
	t.Run("a wrong batch leaves nothing", func(t *testing.T) { testWrongBatch(t, fresh(t)) })
	t.Run("scores may come apart from events", func(t *testing.T) { testScoresApart(t, fresh(t)) })
	t.Run("decisions are replaced by id", func(t *testing.T) { testDecisions(t, fresh(t)) })
	t.Run("dead letters are kept once", func(t *testing.T) { testDeadLetters(t, fresh(t)) })
	t.Run("ranges include their start and not their end", func(t *testing.T) { testRangeEdges(t, fresh(t)) })
	t.Run("the overview has every step", func(t *testing.T) { testOverview(t, fresh(t)) })
	t.Run("the overview agrees with counting by hand", func(t *testing.T) { testOverviewAgainstModel(t, fresh(t)) })
	t.Run("entities match by their columns", func(t *testing.T) { testEntities(t, fresh(t)) })
	t.Run("top entities and timelines agree with counting by hand", func(t *testing.T) { testAgainstModel(t, fresh(t)) })
	t.Run("suspects come before the busy", func(t *testing.T) { testTopOrder(t, fresh(t)) })
	t.Run("the requests behind a decision", func(t *testing.T) { testRequests(t, fresh(t)) })
	t.Run("limits hold", func(t *testing.T) { testLimits(t, fresh(t)) })
	t.Run("a context that has ended ends the call", func(t *testing.T) { testCancelled(t, fresh(t)) })

	t.Run("a closed store says so", func(t *testing.T) {
		s := open(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if err := s.Record(t.Context(), batchOf(request(0, 0, "192.0.2.1")), nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("record: got %v, want ErrClosed", err)
		}
		if _, err := s.Count(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("count: got %v, want ErrClosed", err)
		}
	})
}

func testHostileText(t *testing.T, s Store) {
	var offset int64
	for name, text := range hostile() {
		e := request(offset, 0, "192.0.2.1")
		e.Forwarded, e.Method, e.Host, e.Path, e.Query, e.Route, e.UserAgent, e.Referer = text, text, text, text, text, text, text, text
		e.Session, e.Country, e.AuthUsername, e.Object, e.AttestationProvider = text, text, text, text, text
		e.RequestID, e.Gateway, e.DecisionID = text, text, text
		e.Attributes = []sundew.Attribute{{Key: text, Value: text}}
		key := strings.ToValidUTF8(text[:min(len(text), sundew.MaxID)], "")
		e.Device, e.Account, e.APIKey, e.JA4 = key, key, key, key

		d := decision(text, 0, device(key), sundew.ActionBlock)
		d.Rule, d.Sentence, d.Basis, d.And = text, text, sundew.Basis(text), []sundew.Entity{{Kind: sundew.KindAccount, Key: key}}
		d.Evidence[0].Channel, d.Evidence[0].Sentence = text, text
		scores := []sundew.Score{{Time: noon, Entity: device(key), Points: 80, Evidence: d.Evidence, Event: &e}}
		record(t, s, batchOf(e), scores, []sundew.Decision{d})
		letter := sundew.DeadLetter{Time: noon, Source: text, Offset: offset, Format: text, Reason: text, Detail: text, Line: text}
		if err := s.RecordDeadLetters(t.Context(), []sundew.DeadLetter{letter}); err != nil {
			t.Fatal(err)
		}

		for _, kind := range []sundew.Kind{sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey, sundew.KindFingerprint} {
			timeline, err := s.Timeline(t.Context(), sundew.Entity{Kind: kind, Key: key}, always, 10)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, name+" as "+kind.String(), timeline.Events, []sundew.Event{e})
		}
		found, _, err := s.Decision(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name+" in a decision", found, d)
		behind, err := s.Requests(t.Context(), d, 10)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name+" behind a decision", behind, []sundew.Event{e})
		letters, err := s.DeadLetters(t.Context(), always, MaxRows)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(letters, letter) {
			t.Errorf("%s in a dead letter: not found", name)
		}
		top, err := s.TopEntities(t.Context(), always, sundew.KindDevice, 100)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(top, func(a sundew.EntityActivity) bool {
			return a.Entity == device(key) && a.Requests == 1 && a.Rule == text && a.Sentence == text
		}) {
			t.Errorf("%s among the top entities: not found", name)
		}
		offset++
	}
}

func testRepeats(t *testing.T, s Store) {
	b := batchOf(request(0, 0, "192.0.2.1"), request(1, time.Second, "192.0.2.2"))
	scores := []sundew.Score{
		{Time: b.Events[0].Time, Entity: ip("192.0.2.1"), Points: 50, Event: &b.Events[0]},
		{Time: b.Events[1].Time, Entity: ip("192.0.2.2"), Points: 60, Event: &b.Events[1]},
		{Time: b.Events[1].Time, Entity: ip("192.0.2.2"), Points: 19.99, Event: &b.Events[1]},
		{Time: b.Events[1].Time, Entity: ip("192.0.2.2"), Points: math.NaN(), Event: &b.Events[1]},
	}
	ds := []sundew.Decision{decision("d-1", 0, ip("192.0.2.1"), sundew.ActionBlock)}
	for range 3 {
		record(t, s, b, scores, ds)
	}
	equal(t, "counts", counts(t, s), Counts{Events: 2, Scores: 2, Decisions: 1})
	equal(t, "resume", resume(t, s, 0), int64(2))
}

func testOverlap(t *testing.T, s Store) {
	all := make([]sundew.Event, 10)
	for i := range all {
		all[i] = request(int64(i), time.Duration(i)*time.Second, "192.0.2.1")
	}
	record(t, s, batchOf(all[:6]...), nil, nil)
	record(t, s, batchOf(all[3:]...), nil, nil)
	record(t, s, batchOf(all[1:4]...), nil, nil)
	timeline, err := s.Timeline(t.Context(), ip("192.0.2.1"), always, 100)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "events", timeline.Events, all)
	equal(t, "resume", resume(t, s, 0), int64(10))
}

func testRejected(t *testing.T, s Store) {
	record(t, s, sundew.Batch{Position: sundew.Position{Partition: 4, First: 0, Next: 50}}, nil, nil)
	equal(t, "resume after lines that were all rejected", resume(t, s, 4), int64(50))
	record(t, s, sundew.Batch{Position: sundew.Position{Partition: 4, First: 0, Next: 20}}, nil, nil)
	equal(t, "resume after an older batch", resume(t, s, 4), int64(50))
	equal(t, "counts", counts(t, s), Counts{})
}

func testPartitions(t *testing.T, s Store) {
	for partition := range int32(3) {
		e := request(7, 0, "192.0.2.1")
		e.Partition = partition
		record(t, s, batchOf(e), nil, nil)
	}
	for partition := range int32(4) {
		want := int64(8)
		if partition == 3 {
			want = 0
		}
		equal(t, fmt.Sprintf("resume of partition %d", partition), resume(t, s, partition), want)
	}
	equal(t, "counts", counts(t, s), Counts{Events: 3})
}

func testWrongBatch(t *testing.T, s Store) {
	good, late, foreign := request(0, 0, "192.0.2.1"), request(2, 0, "192.0.2.1"), request(1, 0, "192.0.2.1")
	foreign.Partition = 1
	nameless := decision("", 0, ip("192.0.2.1"), sundew.ActionBlock)
	position := sundew.Position{First: 0, Next: 2}
	tests := []struct {
		name      string
		batch     sundew.Batch
		decisions []sundew.Decision
	}{
		{"offset beyond the batch", sundew.Batch{Events: []sundew.Event{good, late}, Position: position}, nil},
		{"offset before the batch", sundew.Batch{Events: []sundew.Event{good}, Position: sundew.Position{First: 1, Next: 2}}, nil},
		{"event of another partition", sundew.Batch{Events: []sundew.Event{good, foreign}, Position: position}, nil},
		{"decision without id", sundew.Batch{Events: []sundew.Event{good}, Position: position}, []sundew.Decision{nameless}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := s.Record(t.Context(), test.batch, nil, test.decisions); err == nil {
				t.Error("it was taken")
			}
			equal(t, "counts", counts(t, s), Counts{})
			equal(t, "resume", resume(t, s, 0), int64(0))
		})
	}
	record(t, s, batchOf(good), nil, nil)
	equal(t, "counts after a good batch", counts(t, s), Counts{Events: 1})
}

func testScoresApart(t *testing.T, s Store) {
	b := batchOf(request(0, 0, "192.0.2.1"), request(1, 0, "192.0.2.1"))
	b.Events[0].Partition, b.Events[1].Partition, b.Position.Partition = 5, 5, 5
	scores := []sundew.Score{{Time: noon, Entity: ip("192.0.2.1"), Points: 70, Event: &b.Events[1]}}
	for range 2 {
		record(t, s, sundew.Batch{}, scores, nil)
	}
	equal(t, "scores before their events", counts(t, s), Counts{Scores: 1})
	equal(t, "resume", resume(t, s, 5), int64(0))
	record(t, s, b, nil, nil)
	equal(t, "after the events", counts(t, s), Counts{Scores: 1, Events: 2})
	record(t, s, sundew.Batch{}, scores, nil)
	equal(t, "scores once more", counts(t, s), Counts{Scores: 1, Events: 2})
}

func testDecisions(t *testing.T, s Store) {
	first := decision("d-1", 0, device("x"), sundew.ActionTarpit)
	first.Delay = 1500 * time.Millisecond
	first.And = []sundew.Entity{ip("192.0.2.1")}
	second := decision("d-2", time.Minute, ip("2001:db8::1"), sundew.ActionBlock)
	second.Shadow, second.Evidence, second.Sentence, second.Basis = true, nil, "", ""
	endless := decision("d-3", 2*time.Minute, ip("2001:db8::1"), sundew.ActionObserve)
	endless.Evidence[0].Nats, endless.Evidence[0].Observed, endless.Evidence[0].Expected = math.Inf(1), math.Inf(-1), math.NaN()
	record(t, s, sundew.Batch{}, nil, []sundew.Decision{first, second, endless})
	endless.Evidence[0].Nats, endless.Evidence[0].Observed, endless.Evidence[0].Expected = math.MaxFloat64, -math.MaxFloat64, 0

	changed := first
	changed.Action, changed.Delay = sundew.ActionBlock, 0
	record(t, s, sundew.Batch{}, nil, []sundew.Decision{first, changed})

	got, err := s.Decisions(t.Context(), always, 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "decisions, newest first", got, []sundew.Decision{endless, second, changed})
	one, found, err := s.Decision(t.Context(), "d-1")
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	equal(t, "by id", one, changed)
}

func testDeadLetters(t *testing.T, s Store) {
	letter := func(source string, partition int32, offset int64, after time.Duration) sundew.DeadLetter {
		return sundew.DeadLetter{Time: at(after), Source: source, Partition: partition, Offset: offset, Format: "nginx", Reason: "timestamp missing", Line: "x"}
	}
	letters := []sundew.DeadLetter{letter("a", 0, 1, 0), letter("a", 0, 2, time.Second), letter("a", 1, 1, 2*time.Second), letter("b", 0, 1, 3*time.Second)}
	for _, some := range [][]sundew.DeadLetter{letters[:2], letters, append(letters, letters...), nil} {
		if err := s.RecordDeadLetters(t.Context(), some); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.DeadLetters(t.Context(), always, 10)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(letters)
	equal(t, "letters, newest first", got, letters)
	equal(t, "counts", counts(t, s), Counts{DeadLetters: 4})

	failed, replayed := letters[0], letters[1]
	failed.Attempt, failed.Reason = 1, "client address missing"
	replayed.Attempt, replayed.Replayed = 1, true
	for _, some := range [][]sundew.DeadLetter{{failed, replayed}, append(letters, failed, replayed)} { // once more, as after a restart
		if err := s.RecordDeadLetters(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		if got, err = s.DeadLetters(t.Context(), always, 10); err != nil {
			t.Fatal(err)
		}
		stays := failed
		stays.Attempt = 0
		equal(t, "letters after a replay", got, []sundew.DeadLetter{stays, letters[2], letters[3]})
	}
}

func testRangeEdges(t *testing.T, s Store) {
	const tick = time.Microsecond
	e := request(0, time.Second, "192.0.2.1")
	score := sundew.Score{Time: e.Time, Entity: ip("192.0.2.1"), Points: 90, Event: &e}
	record(t, s, batchOf(e), []sundew.Score{score}, []sundew.Decision{decision("d-1", time.Second, ip("192.0.2.1"), sundew.ActionBlock)})
	if err := s.RecordDeadLetters(t.Context(), []sundew.DeadLetter{{Time: e.Time, Source: "a"}}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		r     sundew.Range
		found int
	}{
		{"starts with it", span(time.Second, time.Second+tick), 1},
		{"ends with it", span(0, time.Second), 0},
		{"starts after it", span(time.Second+tick, time.Minute), 0},
		{"around it", span(0, time.Minute), 1},
		{"empty", span(time.Second, time.Second), 0},
		{"backwards", span(time.Minute, 0), 0},
		{"in another zone", sundew.Range{From: at(0).In(time.FixedZone("", -5*3600)), To: at(time.Minute).In(time.FixedZone("", 9*3600))}, 1},
		{"without bounds", sundew.Range{}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			timeline, err := s.Timeline(t.Context(), ip("192.0.2.1"), test.r, 10)
			if err != nil {
				t.Fatal(err)
			}
			top, err := s.TopEntities(t.Context(), test.r, sundew.KindIP, 10)
			if err != nil {
				t.Fatal(err)
			}
			decisions, err := s.Decisions(t.Context(), test.r, 10)
			if err != nil {
				t.Fatal(err)
			}
			letters, err := s.DeadLetters(t.Context(), test.r, 10)
			if err != nil {
				t.Fatal(err)
			}
			got := []int{int(timeline.Requests), len(timeline.Events), len(timeline.Scores), len(timeline.Decisions), len(top), len(decisions), len(letters)}
			equal(t, "requests, events, scores, decisions, top, decisions, letters", got, slices.Repeat([]int{test.found}, 7))
		})
	}
}

func testOverview(t *testing.T, s Store) {
	statuses := []struct {
		after  time.Duration
		status int
	}{
		{-time.Microsecond, 500},
		{0, 200},
		{0, 399},
		{59 * time.Second, 400},
		{time.Minute, 499},
		{time.Minute, 500},
		{3*time.Minute - 1, 599},
		{3 * time.Minute, 0},
		{4 * time.Minute, 404},
	}
	var events []sundew.Event
	for i, status := range statuses {
		e := request(int64(i), status.after, "192.0.2.1")
		e.Status = status.status
		events = append(events, e)
	}
	ds := []sundew.Decision{
		decision("a", 0, ip("192.0.2.1"), sundew.ActionObserve), decision("b", time.Minute, ip("192.0.2.1"), sundew.ActionTarpit),
		decision("c", time.Minute, ip("192.0.2.1"), sundew.ActionChallenge), decision("d", 3*time.Minute, ip("192.0.2.1"), sundew.ActionBlock),
		decision("e", 3*time.Minute, ip("192.0.2.1"), sundew.ActionBlock),
	}
	ds[4].Shadow = true
	record(t, s, batchOf(events...), nil, ds)

	got, err := s.Overview(t.Context(), span(0, 3*time.Minute+30*time.Second), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "points", got, []sundew.OverviewPoint{
		{Time: at(0), Requests: 3, ClientErrors: 1, Observed: 1},
		{Time: at(time.Minute), Requests: 2, ClientErrors: 1, ServerErrors: 1, Tarpitted: 1, Challenged: 1},
		{Time: at(2 * time.Minute), Requests: 1, ServerErrors: 1},
		{Time: at(3 * time.Minute), Requests: 1, Observed: 1, Blocked: 1},
	})

	tests := []struct {
		name   string
		r      sundew.Range
		step   time.Duration
		points int // -1: refused
	}{
		{"exactly one step", span(0, time.Minute), time.Minute, 1},
		{"a step longer than the range", span(0, time.Second), time.Hour, 1},
		{"an empty range", span(0, 0), time.Minute, 0},
		{"a step of nothing", span(0, time.Minute), 0, -1},
		{"a step below the shortest", span(0, time.Minute), time.Microsecond, -1},
		{"as many steps as fit", span(0, MaxRows*time.Second), time.Second, MaxRows},
		{"one step too many", span(0, MaxRows*time.Second+1), time.Second, -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			points, err := s.Overview(t.Context(), test.r, test.step)
			if (err != nil) != (test.points < 0) || len(points) != max(0, test.points) {
				t.Errorf("got %d points, %v; want %d", len(points), err, test.points)
			}
		})
	}
}

// testOverviewAgainstModel asks for ranges and steps that fit minutes, and for some that cut them.
func testOverviewAgainstModel(t *testing.T, s Store) {
	random := rand.New(rand.NewPCG(3, 4))
	var events []sundew.Event
	for i := range 2000 {
		e := request(int64(i), time.Duration(random.Int64N(int64(2*time.Hour))).Truncate(time.Microsecond)-time.Hour, "192.0.2.1")
		e.Status = 200 + 100*random.IntN(4)
		events = append(events, e)
	}
	for batch := range slices.Chunk(events, 300) {
		record(t, s, batchOf(batch...), nil, nil)
	}
	for _, step := range []time.Duration{time.Second, 59 * time.Second, time.Minute, 90 * time.Second, 7 * time.Minute, time.Hour} {
		for _, r := range []sundew.Range{
			span(-time.Hour, time.Hour), span(-10*time.Minute, 12*time.Minute+17*time.Second), span(time.Microsecond, 20*time.Minute),
			span(-30*time.Second, 90*time.Second), span(0, 10*time.Second), span(-3*time.Hour, -2*time.Hour),
		} {
			want, err := emptyPoints(r, step)
			if err != nil {
				t.Fatal(err)
			}
			for i := range events {
				e := &events[i]
				if e.Time.Before(r.From) || !e.Time.Before(r.To) {
					continue
				}
				p := &want[e.Time.Sub(r.From)/step]
				p.Requests++
				switch e.Status {
				case 400:
					p.ClientErrors++
				case 500:
					p.ServerErrors++
				}
			}
			got, err := s.Overview(t.Context(), r, step)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("steps of %s from %s to %s", step, r.From.Format(time.TimeOnly), r.To.Format(time.TimeOnly)), got, want)
		}
	}
}

func testEntities(t *testing.T, s Store) {
	clients := []string{"10.1.2.3", "10.1.2.255", "10.1.3.0", "0.0.0.1", "::1", "2001:db8:0:1::5", "2001:db8:0:1:ffff::", "2001:db8:0:2::", "fe80::1", "255.255.255.255"}
	var events []sundew.Event
	for i, client := range clients {
		e := request(int64(i), time.Duration(i)*time.Second, client)
		e.Device, e.ASN = fmt.Sprintf("device %d", i%2), uint32(i%3)
		e.Account = "10.1.2.3" // a key of another kind must not match
		events = append(events, e)
	}
	record(t, s, batchOf(events...), nil, nil)

	tests := []struct {
		entity string
		want   []int64 // offsets
	}{
		{"ip:10.1.2.3", []int64{0}},
		{"ip:::ffff:10.1.2.3", []int64{0}},
		{"ip:::1", []int64{4}},
		{"ip:0.0.0.1", []int64{3}},
		{"prefix:10.1.2.0/24", []int64{0, 1}},
		{"prefix:10.1.2.3/32", []int64{0}},
		{"prefix:10.1.2.77/24", []int64{0, 1}},
		{"prefix:10.0.0.0/8", []int64{0, 1, 2}},
		{"prefix:0.0.0.0/0", []int64{0, 1, 2, 3, 9}},
		{"prefix:255.255.255.254/31", []int64{9}},
		{"prefix:::/0", []int64{4, 5, 6, 7, 8}},
		{"prefix:2001:db8:0:1::/64", []int64{5, 6}},
		{"prefix:2001:db8::/48", []int64{5, 6, 7}},
		{"prefix:2001:db8:0:1::/65", []int64{5}},
		{"prefix:2001:db8:0:1::5/128", []int64{5}},
		{"prefix:2001:db8:0:1::/63", []int64{5, 6}},
		{"prefix:2001:db8:0:4::/62", nil},
		{"device:device 1", []int64{1, 3, 5, 7, 9}},
		{"asn:2", []int64{2, 5, 8}},
		{"asn:0", []int64{0, 3, 6, 9}},
		{"account:nobody", nil},
		{"api_key:10.1.2.3", nil},
		{"fingerprint:10.1.2.3", nil},
	}
	for _, test := range tests {
		t.Run(test.entity, func(t *testing.T) {
			entity, err := sundew.ParseEntity(test.entity)
			if err != nil {
				t.Fatal(err)
			}
			timeline, err := s.Timeline(t.Context(), entity, always, 100)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, e := range timeline.Events {
				got = append(got, e.Offset)
			}
			equal(t, "offsets", got, test.want)
		})
	}
	if _, err := s.Timeline(t.Context(), ip("not an address"), always, 1); err == nil {
		t.Error("an entity that cannot be was taken")
	}
}

// testAgainstModel counts every entity of random events by maps. There are fewer entities of each kind than a Timeline
// names as related.
func testAgainstModel(t *testing.T, s Store) {
	random := rand.New(rand.NewPCG(1, 2))
	var events []sundew.Event
	for i := range 3000 {
		e := request(int64(i), time.Duration(i)*time.Second, fmt.Sprintf("203.0.%d.%d", random.IntN(2), random.IntN(3)))
		if random.IntN(2) == 0 {
			e.Client = netip.MustParseAddr(fmt.Sprintf("fd00:0:%d:%d::%d", random.IntN(2), random.IntN(2), random.IntN(3)))
		}
		e.Device, e.Account = pick(random, "d", 9), pick(random, "a", 5)
		e.APIKey, e.JA4, e.ASN = pick(random, "k", 3), pick(random, "j", 4), random.Uint32N(4)
		events = append(events, e)
	}
	for start := 0; start < len(events); start += 700 {
		record(t, s, batchOf(events[start:min(start+700, len(events))]...), nil, nil)
	}

	r := span(500*time.Second, 2500*time.Second)
	var seen []sundew.Event
	for _, e := range events {
		if !e.Time.Before(r.From) && e.Time.Before(r.To) {
			seen = append(seen, e)
		}
	}
	everybody := tally(seen)
	for kind := range sundew.Kind(sundew.NumKinds) {
		top, err := s.TopEntities(t.Context(), r, kind, 500)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(slices.Clone(everybody), func(a sundew.EntityActivity) bool {
			return kind != sundew.KindNone && a.Entity.Kind != kind
		})
		equal(t, "top entities of kind "+kind.String(), top, want)
	}
	for _, activity := range everybody {
		mine := slices.DeleteFunc(slices.Clone(seen), func(e sundew.Event) bool {
			return !slices.Contains(e.AppendEntities(nil), activity.Entity)
		})
		timeline, err := s.Timeline(t.Context(), activity.Entity, r, MaxRows)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "events of "+activity.Entity.String(), timeline.Events, mine)
		equal(t, "requests of "+activity.Entity.String(), timeline.Requests, int64(len(mine)))
		related := slices.DeleteFunc(tally(mine), func(a sundew.EntityActivity) bool { return a.Entity == activity.Entity })
		equal(t, "related to "+activity.Entity.String(), timeline.Related, related)
	}
}

func pick(random *rand.Rand, name string, n int) string {
	if i := random.IntN(n + 1); i > 0 {
		return fmt.Sprint(name, i)
	}
	return ""
}

// tally counts the entities of events, most requests first.
func tally(events []sundew.Event) []sundew.EntityActivity {
	index := map[sundew.Entity]*sundew.EntityActivity{}
	for i := range events {
		for _, entity := range events[i].AppendEntities(nil) {
			a, found := index[entity]
			if !found {
				a = &sundew.EntityActivity{Entity: entity, FirstSeen: events[i].Time}
				index[entity] = a
			}
			a.Requests++
			a.LastSeen = events[i].Time
		}
	}
	var all []sundew.EntityActivity
	for _, a := range index {
		all = append(all, *a)
	}
	slices.SortFunc(all, func(a, b sundew.EntityActivity) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Entity.Kind, b.Entity.Kind), cmp.Compare(a.Entity.Key, b.Entity.Key))
	})
	return all
}

func testTopOrder(t *testing.T, s Store) {
	var events []sundew.Event
	for i := range 10 {
		client := "192.0.2.10" // busy and harmless
		if i == 0 {
			client = "192.0.2.20"
		}
		events = append(events, request(int64(i), time.Duration(i)*time.Second, client))
	}
	scores := []sundew.Score{
		{Time: at(0), Entity: ip("192.0.2.20"), Points: 30, Event: &events[0]},
		{Time: at(time.Second), Entity: ip("192.0.2.20"), Points: 80, Event: &events[1]},
		{Time: at(time.Second), Entity: ip("192.0.2.30"), Points: 99, Event: &events[1]},
	}
	hard, soft := decision("hard", 2*time.Second, ip("192.0.2.40"), sundew.ActionBlock), decision("soft", 3*time.Second, ip("192.0.2.40"), sundew.ActionTarpit)
	soft.Rule, soft.Sentence = "later@2", "the last word"
	network := decision("net", 0, sundew.Entity{Kind: sundew.KindPrefix, Key: "192.0.0.0/16"}, sundew.ActionBlock)
	network.Shadow, network.Score = true, 10
	record(t, s, batchOf(events...), scores, []sundew.Decision{hard, soft, network})

	top, err := s.TopEntities(t.Context(), span(0, time.Hour), sundew.KindNone, 5)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "top entities", top, []sundew.EntityActivity{
		{Entity: ip("192.0.2.40"), Points: 97.5, Decisions: 2, Action: sundew.ActionBlock, Rule: "later@2", Sentence: "the last word", FirstSeen: at(2 * time.Second), LastSeen: at(3 * time.Second)},
		{Entity: network.Entity, Requests: 10, Points: 10, Decisions: 1, Action: sundew.ActionObserve, Rule: "probe@1", Sentence: network.Sentence, FirstSeen: at(0), LastSeen: at(9 * time.Second)},
		{Entity: ip("192.0.2.30"), Points: 99, FirstSeen: at(time.Second), LastSeen: at(time.Second)},
		{Entity: ip("192.0.2.20"), Requests: 1, Points: 80, FirstSeen: at(0), LastSeen: at(time.Second)},
		{Entity: sundew.Entity{Kind: sundew.KindPrefix, Key: "192.0.2.0/24"}, Requests: 10, FirstSeen: at(0), LastSeen: at(9 * time.Second)},
	})
	timeline, err := s.Timeline(t.Context(), ip("192.0.2.20"), span(0, time.Hour), 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "scores in order of time", timeline.Scores, []sundew.ScorePoint{{Time: at(0), Points: 30}, {Time: at(time.Second), Points: 80}})
}

func testRequests(t *testing.T, s Store) {
	var events []sundew.Event
	for i := range 30 {
		e := request(int64(i), time.Duration(i)*time.Minute, []string{"192.0.2.1", "198.51.100.1"}[i%2])
		e.Device = []string{"x", "y", "z"}[i%3]
		events = append(events, e)
	}
	record(t, s, batchOf(events...), nil, nil)
	base := decision("d", 20*time.Minute, device("x"), sundew.ActionBlock)
	narrowed := base
	narrowed.And = []sundew.Entity{ip("192.0.2.1")}
	long := base
	long.Evidence = append(long.Evidence, sundew.Evidence{Window: 15 * time.Minute})
	manual := base
	manual.Evidence = nil
	tests := []struct {
		name  string
		d     sundew.Decision
		limit int
		want  []int64
	}{
		{"of its entity in its window", base, 100, []int64{18, 15, 12}},
		{"narrowed by an address", narrowed, 100, []int64{18, 12}},
		{"the longest window counts", long, 100, []int64{18, 15, 12, 9, 6}},
		{"without a window an hour", manual, 100, []int64{18, 15, 12, 9, 6, 3, 0}},
		{"the newest of many", manual, 2, []int64{18, 15}},
		{"its own moment counts", func() sundew.Decision { d := base; d.Time = at(21*time.Minute + 999); return d }(), 100, []int64{21, 18, 15, 12}},
		{"the start of the window counts", func() sundew.Decision { d := base; d.Time = at(22 * time.Minute); return d }(), 100, []int64{21, 18, 15, 12}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := s.Requests(t.Context(), test.d, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			var offsets []int64
			for _, e := range got {
				offsets = append(offsets, e.Offset)
			}
			equal(t, "offsets", offsets, test.want)
		})
	}
}

func testLimits(t *testing.T, s Store) {
	events := make([]sundew.Event, MaxRows+50)
	for i := range events {
		events[i] = request(int64(i), time.Duration(i)*time.Millisecond, "192.0.2.1")
	}
	record(t, s, batchOf(events...), nil, nil)
	tests := []struct{ limit, want int }{{1, 1}, {0, defaultRows}, {-5, defaultRows}, {MaxRows, MaxRows}, {math.MaxInt, MaxRows}}
	for _, test := range tests {
		timeline, err := s.Timeline(t.Context(), ip("192.0.2.1"), always, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(timeline.Events) != test.want || timeline.Requests != int64(len(events)) {
			t.Errorf("limit %d: %d events of %d", test.limit, len(timeline.Events), timeline.Requests)
		}
		equal(t, "the newest event", timeline.Events[len(timeline.Events)-1].Offset, int64(len(events)-1))
	}
}

func testCancelled(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := batchOf(request(0, 0, "192.0.2.1"))
	if err := s.Record(ctx, b, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("record: got %v, want context.Canceled", err)
	}
	if _, err := s.TopEntities(ctx, always, sundew.KindNone, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("top entities: got %v, want context.Canceled", err)
	}
	equal(t, "counts", counts(t, s), Counts{})
	record(t, s, b, nil, nil)
	equal(t, "counts of a later call", counts(t, s), Counts{Events: 1})
}
