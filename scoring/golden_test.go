package scoring

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"sundew"
)

// golden calls check with every golden value whose quantity begins with the prefix, of which there must be one.
func golden(t *testing.T, prefix string, check func(arguments map[string]float64, want float64)) {
	t.Helper()
	text, err := os.ReadFile("law/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Entries []struct {
			Quantity         string
			Arguments, Value json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range file.Entries {
		if !strings.HasPrefix(e.Quantity, prefix) {
			continue
		}
		found = true
		var arguments map[string]float64
		if err := json.Unmarshal(e.Arguments, &arguments); err != nil {
			t.Fatal(err)
		}
		want, err := strconv.ParseFloat(strings.Trim(string(e.Value), `"`), 64)
		if err != nil {
			t.Fatal(err)
		}
		check(arguments, want)
	}
	if !found {
		t.Fatalf("no golden value of %q", prefix)
	}
}

// bound is the probability that a legitimate client-day ever reaches s of 1, as Config.Prior states it.
func bound(prior, s float64) float64 { return prior / (1 - prior) * (1 - s) / s }

func TestBoundOfTheScoreIsGolden(t *testing.T) {
	golden(t, "bound on P(score ever >= s)", func(a map[string]float64, want float64) {
		if got := bound(a["pi"], a["s"]); math.Abs(got/want-1) > 1e-13 {
			t.Errorf("prior %v, score %v: %v, want %v", a["pi"], a["s"], got, want)
		}
	})
}

// TestScoresKeepTheirBound: points are stated with a probability that a legitimate client-day reaches them, and Ville's
// inequality gives that probability only if the evidence behind them is its inverse.
func TestScoresKeepTheirBound(t *testing.T) {
	for _, prior := range []float64{1e-4, 1e-3, 1e-2} {
		c := DefaultConfig()
		c.Entities, c.Workers, c.Prior = 4096, 1, prior
		e, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, s := range e.Score(sundew.Batch{Events: traffic(3000)}) {
			if s.Nats == 0 || s.Points >= 100-1e-6 {
				continue
			}
			seen++
			if want := bound(prior, s.Points/100); math.Abs(math.Exp(-s.Nats)/want-1) > 1e-6 {
				t.Fatalf("prior %v: %v points rest on %v nats, which legitimate days have with probability %v, not %v",
					prior, s.Points, s.Nats, math.Exp(-s.Nats), want)
			}
		}
		if seen < 100 {
			t.Errorf("prior %v: only %d scores with evidence", prior, seen)
		}
	}
}

// occupied is how many of m cells are expected to have one of n balls.
func occupied(n, m float64) float64 { return m * -math.Expm1(n*math.Log1p(-1/m)) }

func TestLinearCountingIsGolden(t *testing.T) {
	golden(t, "expected number of occupied cells", func(a map[string]float64, want float64) {
		if got := occupied(a["n"], a["m"]); math.Abs(got/want-1) > 1e-13 {
			t.Errorf("%v balls in %v cells: %v, want %v", a["n"], a["m"], got, want)
		}
	})
	for n := 1.0; n <= 120; n++ {
		bits := int(math.Round(occupied(n, 64)))
		if got := distinct(1<<bits - 1); math.Abs(got-n) > 1+n/10 {
			t.Errorf("%d bits of 64, which %v members are expected to set, count as %v", bits, n, got)
		}
	}
}
