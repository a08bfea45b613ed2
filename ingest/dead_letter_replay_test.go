package ingest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"sundew"
)

// letterAt is a dead letter of the n-th line of a source.
func letterAt(source string, n int64, reason, line string) sundew.DeadLetter {
	return sundew.DeadLetter{
		Time: time.Date(2026, 11, 24, 12, 0, int(n), 0, time.UTC), Source: source, Offset: n,
		Format: autoName, Reason: reason, Line: line,
	}
}

func deadNow(t *testing.T, c KafkaConfig, f DeadLetterFilter) (dead []sundew.DeadLetter) {
	t.Helper()
	err := ScanDeadLetters(within10s(t), c, f, func(letters []sundew.DeadLetter) error {
		dead = append(dead, letters...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(dead, func(a, b sundew.DeadLetter) int { return a.Time.Compare(b.Time) })
	return dead
}

func replayed(t *testing.T, c KafkaConfig, p *Producer, o LetterReplayOptions) LetterReplay {
	t.Helper()
	done, err := ReplayDeadLetters(within10s(t), c, p, o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// requestsOf reads all there is in the topic of requests.
func requestsOf(t *testing.T, c KafkaConfig, n int) []sundew.Event {
	t.Helper()
	events, letters := take(within10s(t), t, open(t, c, TopicRequests, 0, LogStart, TopicOptions{}), n)
	if len(letters) > 0 {
		t.Fatalf("dead letters in the log: %v", letters)
	}
	return events
}

func TestReplayOfDeadLetters(t *testing.T) {
	c, _ := embedded(t)
	if err := EnsureTopics(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	p := running(t, c, ProducerOptions{})
	good := `{"timestamp":"2026-11-24T12:00:00Z","client.address":"192.0.2.7","url.path":"/a"}`
	foreign := `{"timestamp":"2026-11-24T12:00:00Z","client.address":"192.0.2.7","gateway.id":"other"}`
	letters := []sundew.DeadLetter{
		letterAt("http:a", 0, "timestamp missing", good),
		letterAt("http:a", 1, "timestamp missing", `{"timestamp":"2026-11-24T12:00:00Z"}`),
		letterAt("http:b", 2, "client address missing", good),
		letterAt("http:b", 3, "line too long", good), // cut: what is left of it happens to be a line
		letterAt("http:b", 4, "JSON cannot be read", ""),
		letterAt("http:b", 5, "gateway of another token", foreign),
		letterAt("http:b", 6, "format not recognised", " "),
	}
	if err := NewDeadLetterPublisher(p).Reject(within10s(t), slices.Concat(letters, letters[:2])); err != nil { // some twice
		t.Fatal(err)
	}
	if got := deadNow(t, c, DeadLetterFilter{}); !slices.Equal(got, letters) {
		t.Fatalf("dead are\n%v\nwant\n%v", got, letters)
	}
	o := LetterReplayOptions{Ingest: DefaultListenerConfig()}
	o.Ingest.Tokens = []Token{{Name: "b", Gateway: "edge-b", Hash: fmt.Sprintf("%064d", 0)}}

	o.Dry = true
	dry := replayed(t, c, nil, o)
	if got := deadNow(t, c, DeadLetterFilter{}); !slices.Equal(got, letters) {
		t.Fatalf("after a dry run dead are\n%v", got)
	}
	o.Dry = false
	o.Filter = DeadLetterFilter{Source: "http:a"}
	if done := replayed(t, c, p, o); done.Letters != 2 || done.Events != 1 || done.Failed["client address missing"] != 1 {
		t.Fatalf("of source a: %+v", done)
	}
	o.Filter = DeadLetterFilter{}
	done := replayed(t, c, p, o)
	want := map[string]int{"client address missing": 1, "line too long": 1, "JSON cannot be read": 1, "gateway of another token": 1}
	if done.Letters != 6 || done.Events != 1 || done.Skipped != 1 || !maps.Equal(done.Failed, want) {
		t.Errorf("replay: %+v", done)
	}
	if dry.Events != 2 || dry.Letters != 7 || !maps.Equal(dry.Failed, want) {
		t.Errorf("the dry run foresaw %+v", dry)
	}
	events := requestsOf(t, c, 2)
	if len(events) != 2 || events[0].Gateway != letterGateway || events[1].Gateway != "edge-b" || events[0].GatewaySequence != 1 || events[1].GatewaySequence != 3 {
		t.Errorf("in the log are %+v", events)
	}
	dead := deadNow(t, c, DeadLetterFilter{})
	if len(dead) != 4 || dead[0].Offset != 1 || dead[0].Reason != "client address missing" || dead[0].Attempt != 1 || dead[0].Line != letters[1].Line {
		t.Errorf("dead are still %+v", dead)
	}

	// Nothing is fed twice, and what fails as before is not written again.
	end := endOf(t, c)
	if done := replayed(t, c, p, o); done.Events != 0 || done.Letters != 4 {
		t.Errorf("replay again: %+v", done)
	}
	if now := endOf(t, c); now != end {
		t.Errorf("replay again wrote %d records", now-end)
	}
}

// endOf is the number of records in the topics of requests and dead letters.
func endOf(t *testing.T, c KafkaConfig) int64 {
	t.Helper()
	b, err := newBroker(c)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	sum := int64(0)
	for _, topic := range []string{TopicRequests, TopicDeadLetters} {
		_, end, err := b.offsets(within10s(t), topic, 0)
		if err != nil {
			t.Fatal(err)
		}
		sum += end
	}
	return sum
}

func TestDeadLetterFilter(t *testing.T) {
	l := letterAt("http:a", 30, "timestamp missing", "x")
	tests := []struct {
		name string
		f    DeadLetterFilter
		want bool
	}{
		{"all", DeadLetterFilter{}, true},
		{"reason", DeadLetterFilter{Reason: "timestamp missing"}, true},
		{"other reason", DeadLetterFilter{Reason: "timestamp"}, false},
		{"source", DeadLetterFilter{Source: "http:a"}, true},
		{"other source", DeadLetterFilter{Source: "http:b"}, false},
		{"since then", DeadLetterFilter{Since: l.Time}, true},
		{"since later", DeadLetterFilter{Since: l.Time.Add(1)}, false},
		{"until then", DeadLetterFilter{Until: l.Time}, false},
		{"until later", DeadLetterFilter{Until: l.Time.Add(1)}, true},
	}
	for _, tt := range tests {
		if got := tt.f.matches(&l); got != tt.want {
			t.Errorf("%s: matches is %v", tt.name, got)
		}
	}
}
