package scoring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sundew"
)

func TestEvidenceBins(t *testing.T) {
	if got := evidenceBin(.5); got != 0 {
		t.Errorf("evidence below 1 is in bin %d", got)
	}
	if got := evidenceBin(math.Inf(1)); got != evidenceBins-1 {
		t.Errorf("endless evidence is in bin %d", got)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		e := math.Exp(rng.Float64() * 43)
		bin := evidenceBin(e)
		if evidenceFloor(bin) > e || evidenceFloor(bin+1) <= e {
			t.Fatalf("%g is in bin %d, which begins at %g and ends at %g", e, bin, evidenceFloor(bin), evidenceFloor(bin+1))
		}
	}
}

// drawn is a pool of client-days whose highest evidence the law draws.
func drawn(n int, seed uint64, law func(u float64) float64) *pool {
	rng := rand.New(rand.NewPCG(seed, 2))
	var p pool
	for range n {
		p[evidenceBin(law(1-rng.Float64()))]++
	}
	return &p
}

// exact promises just what Ville's inequality allows; boastful reaches x as often as is allowed for the root of x.
func exact(u float64) float64    { return 1 / u }
func boastful(u float64) float64 { return 1 / (u * u) }

func TestCalibrationTakesBackWhatTheModelBoasts(t *testing.T) {
	c := drawn(50_000, 1, boastful).measured()
	const fresh = 1_000_000
	rng := rand.New(rand.NewPCG(3, 3))
	levels := []float64{10, 100, 1000, 10_000}
	reached := make([]int, len(levels))
	raw := make([]int, len(levels))
	for range fresh {
		e := boastful(1 - rng.Float64())
		for i, level := range levels {
			if e >= level {
				raw[i]++
			}
			if c.apply(e) >= level {
				reached[i]++
			}
		}
	}
	for i, level := range levels {
		allowed := fresh / level
		t.Logf("evidence of %g: allowed %.0f client-days of %d, uncalibrated %d, calibrated %d", level, allowed, fresh, raw[i], reached[i])
		if float64(reached[i]) > 1.6*allowed {
			t.Errorf("%d client-days reach %g, allowed are %.0f", reached[i], level, allowed)
		}
		if float64(raw[i]) < 2*allowed {
			t.Errorf("the model does not boast: %d client-days reach %g uncalibrated", raw[i], level)
		}
		if float64(reached[i]) < .3*allowed {
			t.Errorf("only %d client-days reach %g, %.0f are allowed: power is thrown away", reached[i], level, allowed)
		}
	}
}

func TestCalibrationLeavesAnHonestModelAlone(t *testing.T) {
	abusers := func(p *pool) *pool {
		p[evidenceBin(1e12)] += 2000 // one client-day in 26
		return p
	}
	for name, p := range map[string]*pool{
		"exact":                    drawn(50_000, 4, exact),
		"cautious":                 drawn(50_000, 5, func(u float64) float64 { return math.Sqrt(exact(u)) }),
		"exact, among abusers":     abusers(drawn(50_000, 6, exact)),
		"too few client-days":      drawn(leastVotes-1, 7, boastful),
		"nobody ever shows a sign": drawn(50_000, 8, func(float64) float64 { return .1 }),
	} {
		t.Run(name, func(t *testing.T) {
			c := p.measured()
			for _, e := range []float64{2, 10, 1e3, 1e4, 1e6, 1e9} {
				// The further out, the less a sample can say of the tail.
				if got := c.apply(e); got < math.Pow(e, .75) || got > e {
					t.Errorf("evidence of %g is lowered to %g", e, got)
				}
			}
		})
	}
}

func TestCalibrationDrifts(t *testing.T) {
	p := drawn(50_000, 9, boastful)
	c := uncalibrated
	for day := 1; day <= 5; day++ {
		before := c
		c = p.recalibrated(&c)
		for bin := range c {
			if moved := math.Abs(float64(c[bin]) - float64(before[bin])); moved > dailyDrift {
				t.Fatalf("day %d: bin %d moves by %v bins, at most %d are allowed", day, bin, moved, dailyDrift)
			}
		}
	}
	if e := c.apply(1e6); e > 1e5 {
		t.Errorf("after 5 days evidence of 1e6 is still %g", e)
	}
}

func TestCalibrationIsMonotone(t *testing.T) {
	for seed := range uint64(8) {
		c := drawn(5000, seed, func(u float64) float64 { return math.Pow(u, -.5-float64(seed)/7) }).measured()
		for bin := 1; bin < evidenceBins; bin++ {
			if c[bin] < c[bin-1] || int(c[bin]) > bin {
				t.Fatalf("seed %d: bins %d and %d lead to %d and %d", seed, bin-1, bin, c[bin-1], c[bin])
			}
		}
	}
}

func TestPoolForgets(t *testing.T) {
	var p, nobody pool
	p[3] = 1 << 20
	for range 7 {
		p.join(&nobody)
	}
	if got := float64(p[3]) / (1 << 20); math.Abs(got-.5) > .01 {
		t.Errorf("after a week %.3f of the votes are left, want half", got)
	}
}

func TestClock(t *testing.T) {
	repeat := func(times ...uint32) (all []uint32) {
		for range 500 {
			all = append(all, times...)
		}
		return all
	}
	for name, test := range map[string]struct {
		times []uint32
		want  uint32
	}{
		"the first day":                {repeat(7), 7},
		"the next day":                 {append(repeat(7), repeat(8)...), 8},
		"one in five is years ahead":   {append(repeat(7), repeat(7, 7, 7, 7, 9999)...), 7},
		"so is the very first":         {append([]uint32{9999}, repeat(7)...), 7},
		"a day without requests":       {append(repeat(7), repeat(9)...), 9},
		"stragglers of the day before": {append(repeat(7), repeat(8, 8, 7)...), 8},
	} {
		t.Run(name, func(t *testing.T) {
			var c clock
			for _, to := range test.times {
				c.moves(to)
			}
			if c.Now != test.want {
				t.Errorf("the clock stands at %d, want %d", c.Now, test.want)
			}
		})
	}
}

// TestClientDaysVote has entities that come back and some that do not: each client-day votes once.
func TestClientDaysVote(t *testing.T) {
	var events []sundew.Event
	for day := range 3 {
		for hour := range 3 {
			for i := range 200 {
				if day == 0 || i < 100 {
					events = append(events, request(time.Duration(24*day+hour)*time.Hour, fmt.Sprintf("198.51.%d.7", i), nil))
				}
			}
		}
	}
	e := newEngine(t, 2)
	e.Score(sundew.Batch{Events: events})
	p := &e.population
	ip := int(sundew.KindIP) * 2
	for _, test := range []struct {
		what string
		pool *pool
		want float64
	}{
		{"first days, out of quarantine", &p.pools[ip], 200},
		{"first days, in quarantine", &p.recent[ip], 0},
		{"later days, out of quarantine", &p.pools[ip+1], 0},
		{"later days, in quarantine", &p.recent[ip+1], 100},
	} {
		if got := test.pool.size(); got != test.want {
			t.Errorf("%s: %v votes of addresses, want %v", test.what, got, test.want)
		}
	}
}

// TestScoresAreCalibrated has the same failing log-ins where the population has shown that evidence above 100 is nothing.
func TestScoresAreCalibrated(t *testing.T) {
	var events []sundew.Event
	for i := range 20 {
		events = append(events, request(time.Duration(i)*2*time.Second, client, func(e *sundew.Event) {
			e.Method, e.Path, e.Auth = "POST", "/v1/login", sundew.OutcomeFailure
		}))
	}
	most := func(highest int) (points float64, day float32) {
		e := newEngine(t, 1)
		for segment := range e.population.maps {
			for bin := range e.population.maps[segment] {
				e.population.maps[segment][bin] = uint16(min(bin, highest))
			}
		}
		_, points = last(e.Score(sundew.Batch{Events: events}), ip)
		at := e.place(events[0].Client)
		return points, e.cells[at.home].table.find(at.hashes[0]).DayMost
	}
	raw, voted := most(evidenceBins - 1)
	lowered, stillVoted := most(evidenceBin(100))
	if raw < 90 || lowered > 1 {
		t.Errorf("%.1f points uncalibrated and %.1f calibrated, want at least 90 and at most 1", raw, lowered)
	}
	if voted != stillVoted {
		t.Errorf("the client-day votes with %v and, calibrated, with %v: the pool must see what the ledgers said", voted, stillVoted)
	}
}
