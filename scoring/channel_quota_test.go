package scoring

import (
	"math"
	"testing"
	"time"

	"sundew"
)

// sends has an account send n requests in one day, at most 8 in a minute, and returns the most evidence of the channel.
func sends(s *state, day, n int, quota Quota) (most float64) {
	for i := range n {
		liveTo(s, uint32(day*secondsPerDay+i/8*60+i%8))
		s.judge(&trial{second: s.Last, climate: &calm, status: 200, quota: quota})
		most = max(most, float64(*s.ledger(chQuota)))
	}
	return most
}

func TestQuotaChannel(t *testing.T) {
	for _, test := range []struct {
		name            string
		past            []int // requests of earlier days
		today           int
		quota           int
		atLeast, atMost float64
	}{
		{"an account that sent 300 a day sends 9600", []int{300, 300, 300}, 9600, 0, 8, 40},
		{"a partner is allowed 100 a day and takes 8000 on the first", nil, 8000, 100, 10, 50},
		{"a configured quota stands above what was learned", []int{300, 300, 300}, 3000, 3000, 0, 0},
		{"there is no past", nil, 9600, 0, 0, 0},
		{"a past of two days is none", []int{300, 300}, 9600, 0, 0, 0},
		{"a day within ten per cent", []int{1000, 1000, 1000}, 1100, 0, 0, 0},
		{"a day twice as busy as the others", []int{1000, 1000, 1000}, 2000, 0, 0, 1.7},
		{"who hardly ever came stays for an afternoon", []int{5, 5, 5}, 220, 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stateOf(hot{Kind: uint8(sundew.KindAccount)})
			for day, n := range test.past {
				sends(s, 20_000+day, n, Quota{})
			}
			if e := sends(s, 20_000+len(test.past), test.today, Quota{Account: test.quota}); e < test.atLeast || e > test.atMost {
				t.Errorf("%d requests after days of %v are worth %.2f, want %v to %v", test.today, test.past, e, test.atLeast, test.atMost)
			}
		})
	}
	tell(t, []story{
		{
			"a page brings its pictures, a thousand times", ip, 2880, 30 * time.Second,
			func(_ int, e *sundew.Event) { e.Path = "/logo.png" }, 0, 1, "",
		},
	})
}

// TestQuotaIsFair sums the e-value of whole days over the null's law of counts beyond the limit: it must be 1.
func TestQuotaIsFair(t *testing.T) {
	for _, limit := range []float64{1, 220, 2200} {
		sum, reach, e := 0.0, 1.0, 1.0 // reach = P(N >= n | N >= limit), e = product of the ratios so far
		n := limit
		for range 10_000 {
			more := n / (n + 1)
			sum += reach * (1 - more) * e * quotaDuel(n, false)
			reach *= more
			e *= quotaDuel(n, true)
			n++
		}
		// Of the rest it is known that the ratios are fair at each step.
		if got := sum + reach*e; math.Abs(got-1) > 1e-9 {
			t.Errorf("limit %v: mean of e is %v, want 1", limit, got)
		}
		if want := math.Pow(n/limit, 1-quotaSlack); e > want*1.5 {
			t.Errorf("limit %v: %v requests are worth %v, want about %v", limit, n, e, want)
		}
	}
}

func TestTheQuotaLearnsOnlyFromTrust(t *testing.T) {
	for name, test := range map[string]struct {
		before hot
		weight float64
		want   float32
	}{
		"a first day":                  {hot{TodayCount: 5000}, 1, 5000},
		"a day at most doubles":        {hot{TodayCount: 900_000, QuotaMean: 1000, QuotaDays: 1}, 1, 1500},
		"a convicted day is forgotten": {hot{TodayCount: 900_000, QuotaMean: 1000, QuotaDays: 3}, 0, 1000},
		"a day without requests":       {hot{QuotaMean: 1000, QuotaDays: 3}, 1, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			s := stateOf(test.before)
			s.Kind = uint8(sundew.KindAccount)
			if s.closeQuota(test.weight); s.QuotaMean != test.want {
				t.Errorf("the mean is %v, want %v", s.QuotaMean, test.want)
			}
		})
	}
}

// TestAConfiguredQuotaCounts has a key that is allowed 100 requests a day, and one that is not limited.
func TestAConfiguredQuotaCounts(t *testing.T) {
	points := func(quota Quota) float64 {
		c := DefaultConfig()
		c.Quota = quota
		engine, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		var events []sundew.Event
		for i := range 4000 {
			events = append(events, request(time.Duration(i)*10*time.Second, client, func(e *sundew.Event) { e.APIKey = "k-1" }))
		}
		score, _ := last(engine.Score(sundew.Batch{Events: events}), apiKey)
		return score.Points
	}
	if limited, free := points(Quota{APIKey: 100}), points(Quota{Device: 1}); limited < 5*free {
		t.Errorf("forty times the quota has %v points, no quota %v", limited, free)
	}
}
