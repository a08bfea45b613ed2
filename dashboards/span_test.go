package dashboards

import (
	"net/url"
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	now := time.Date(2026, 3, 14, 11, 42, 17, 5, time.FixedZone("elsewhere", 3*3600)) // 08:42:17 UTC
	for _, tc := range []struct {
		query, from, to string
		step            time.Duration
		again           string
	}{
		{"", "2026-03-14T07:43:00Z", "2026-03-14T08:43:00Z", time.Minute, ""},
		{"range=1h", "2026-03-14T07:43:00Z", "2026-03-14T08:43:00Z", time.Minute, ""},
		{"range=15m", "2026-03-14T08:27:20Z", "2026-03-14T08:42:20Z", 10 * time.Second, "range=15m"},
		{"range=6h", "2026-03-14T02:45:00Z", "2026-03-14T08:45:00Z", 5 * time.Minute, "range=6h"},
		{"range=24h", "2026-03-13T08:45:00Z", "2026-03-14T08:45:00Z", 15 * time.Minute, "range=24h"},
		{"range=7d", "2026-03-07T10:00:00Z", "2026-03-14T10:00:00Z", 2 * time.Hour, "range=7d"},
		{"from=2026-03-01T00:00:07Z&to=2026-03-01T00:10:01Z", "2026-03-01T00:00:00Z", "2026-03-01T00:10:10Z", 10 * time.Second, "from=2026-03-01T00%3A00%3A00Z&to=2026-03-01T00%3A10%3A10Z"},
		{"from=2026-03-01T02:00%2B02:00&to=2026-03-01T00:00:01.5Z", "", "", 0, ""},
		{"from=2026-03-01T02:00:00%2B02:00&to=2026-03-01T00:00:01.5Z", "2026-03-01T00:00:00Z", "2026-03-01T00:00:02Z", time.Second, "from=2026-03-01T00%3A00%3A00Z&to=2026-03-01T00%3A00%3A02Z"},
		{"from=2026-01-01&to=2026-04-03", "2026-01-01T00:00:00Z", "2026-04-03T00:00:00Z", 24 * time.Hour, "from=2026-01-01T00%3A00%3A00Z&to=2026-04-03T00%3A00%3A00Z"},
		{"from=2026-03-01T10:00&to=2026-03-01T11:00", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", time.Minute, "from=2026-03-01T10%3A00%3A00Z&to=2026-03-01T11%3A00%3A00Z"},
	} {
		values, err := url.ParseQuery(tc.query)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseSpan(values, now)
		if tc.from == "" {
			if err == nil {
				t.Errorf("%s: no error", tc.query)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.query, err)
			continue
		}
		if got := s.From.Format(time.RFC3339); got != tc.from {
			t.Errorf("%s: from %s, want %s", tc.query, got, tc.from)
		}
		if got := s.To.Format(time.RFC3339); got != tc.to {
			t.Errorf("%s: to %s, want %s", tc.query, got, tc.to)
		}
		if s.Step != tc.step || s.Query() != tc.again {
			t.Errorf("%s: step %s and query %q, want %s and %q", tc.query, s.Step, s.Query(), tc.step, tc.again)
		}
	}
}

// FuzzSpan checks what charts and stores rely on: a range that is not empty, not too long, and of whole steps.
func FuzzSpan(f *testing.F) {
	f.Add("1h", "", "", int64(0))
	f.Add("", "2026-03-01T10:00", "2026-03-01T11:00", int64(1_773_488_537))
	f.Add("", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", int64(1))
	f.Fuzz(func(t *testing.T, word, from, to string, now int64) {
		values := url.Values{}
		if word != "" {
			values.Set("range", word)
		}
		if from != "" || to != "" {
			values.Set("from", from)
			values.Set("to", to)
		}
		s, err := parseSpan(values, time.Unix(now%(1<<33), 0))
		if err != nil {
			if problemOf(err).Remedy == "" {
				t.Errorf("an error without a remedy: %v", err)
			}
			return
		}
		length := s.To.Sub(s.From)
		if length <= 0 || length > maxSpan+2*s.Step || length%s.Step != 0 || length > (maxSteps+2)*s.Step {
			t.Errorf("from %s to %s in steps of %s", s.From, s.To, s.Step)
		}
		again, err := url.ParseQuery(s.Query())
		if err != nil {
			t.Fatal(err)
		}
		same, err := parseSpan(again, time.Unix(now%(1<<33), 0))
		if err != nil || !same.From.Equal(s.From) || !same.To.Equal(s.To) {
			t.Errorf("%s reads back as %s to %s, %v", s.Query(), same.From, same.To, err)
		}
	})
}
