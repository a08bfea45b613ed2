package quality

import (
	"math"
	"net/netip"
	"slices"

	"sundew"
	"sundew/sim"
)

// clientTally is what happened to one legitimate client on one day.
type clientTally struct {
	segment           string
	address           netip.Addr // of the first request
	requests          int
	delayed, refused  int // requests under a tarpit or challenge; under a block
	any, score, rules sundew.Action
	byRule            map[string]int // requests under a tarpit or harder, by the rule of the hardest; nil for most
	// claims are the entities that the requests named and that reached leastClaim nats, with the most that they did; nil for
	// most.
	claims map[sundew.Entity]float64
}

// leastClaim is the least evidence that anything is asked of, that of the loosest nominal rate.
var leastClaim = -math.Log(levels[0])

// claim notes the evidence of an entity.
func (t *clientTally) claim(e sundew.Entity, nats float64) {
	if nats < leastClaim {
		return
	}
	if t.claims == nil {
		t.claims = map[sundew.Entity]float64{}
	}
	t.claims[e] = max(t.claims[e], nats)
}

// nats is the most evidence of an entity that no campaign used that day: where one did, evidence against the entity is
// true, whoever else stands behind it.
func (t *clientTally) nats(day int64, abused map[entityDay]bool) float64 {
	most := math.Inf(-1)
	for entity, nats := range t.claims {
		if !abused[entityDay{entity, day}] {
			most = max(most, nats)
		}
	}
	return most
}

// entityDay is an entity on a UTC day, counted from 1970.
type entityDay struct {
	entity sundew.Entity
	day    int64
}

func (t *clientTally) count(h hit) {
	t.requests++
	switch {
	case h.any == sundew.ActionBlock:
		t.refused++
	case h.any.Enforces():
		t.delayed++
	}
	if h.any.Enforces() {
		if t.byRule == nil {
			t.byRule = map[string]int{}
		}
		t.byRule[h.rule]++
	}
	t.any = max(t.any, h.any)
	t.score = max(t.score, h.score)
	t.rules = max(t.rules, h.points)
}

// campaignTally is what happened to one campaign.
type campaignTally struct {
	attack    string
	intensity float64
	requests  int
	through   map[netip.Addr]int // requests that no decision touched, by address
	began     int64              // microseconds
	enforced  bool
	before    int     // requests before the first that a decision covered
	seconds   float64 // from the first request to that one
}

func newCampaignTally(c sim.Campaign) *campaignTally {
	return &campaignTally{attack: c.Attack, intensity: c.Intensity, through: map[netip.Addr]int{}}
}

func (t *campaignTally) count(e *sundew.Event, h hit) {
	now := e.Time.UnixMicro()
	if t.requests == 0 {
		t.began = now
	}
	t.through[e.Client] += 0 // an address that nothing went through from counts as one
	switch {
	case !h.any.Enforces():
		t.through[e.Client]++
	case !t.enforced:
		t.enforced, t.before, t.seconds = true, t.requests, float64(now-t.began)/1e6
	}
	t.requests++
}

// Rate is a share of client-days with its Clopper-Pearson interval at 95 %.
type Rate struct {
	Hits  int     `json:"hits"`
	Of    int     `json:"of"`
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func rateOf(hits, of int) Rate {
	r := Rate{Hits: hits, Of: of}
	if of > 0 {
		r.Share = float64(hits) / float64(of)
	}
	r.Low, r.High = ClopperPearson(hits, of, .95)
	return r
}

// SegmentRow is what happened to one kind of legitimate client.
type SegmentRow struct {
	Segment    string `json:"segment"`
	Requests   int    `json:"requests"`
	Delayed    int    `json:"requests_delayed"` // under a tarpit or a challenge
	Refused    int    `json:"requests_blocked"`
	ClientDays int    `json:"client_days"`
	Tarpitted  Rate   `json:"tarpitted"` // client-days with a request under a tarpit or anything harder
	Blocked    Rate   `json:"blocked"`   // under a block
	// ByScore and ByPoints are Tarpitted, counting only decisions that rest on the calibrated score, or on the points of
	// rules. A client-day may be in both.
	ByScore  Rate `json:"by_score"`
	ByPoints Rate `json:"by_points"`
}

// add counts a client-day; the intervals come with close.
func (s *SegmentRow) add(t *clientTally) {
	s.Requests += t.requests
	s.Delayed += t.delayed
	s.Refused += t.refused
	s.ClientDays++
	s.Tarpitted.Hits += one(t.any.Enforces())
	s.Blocked.Hits += one(t.any == sundew.ActionBlock)
	s.ByScore.Hits += one(t.score.Enforces())
	s.ByPoints.Hits += one(t.rules.Enforces())
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

func (s *SegmentRow) close() {
	for _, rate := range []*Rate{&s.Tarpitted, &s.Blocked, &s.ByScore, &s.ByPoints} {
		*rate = rateOf(rate.Hits, s.ClientDays)
	}
}

// AttackRow is what happened to the campaigns of one attack at one intensity. Medians and 90 % quantiles are over all
// campaigns, those that never were enforced counting as later than any other; -1 says that the quantile is one of them.
type AttackRow struct {
	Attack           string  `json:"attack"`
	Intensity        float64 `json:"intensity"`
	Campaigns        int     `json:"campaigns"`
	Enforced         int     `json:"enforced"`
	Requests         int     `json:"requests"`
	Through          int     `json:"let_through"`
	MedianRequests   float64 `json:"median_requests"` // before the first that a decision covered
	P90Requests      float64 `json:"p90_requests"`
	MedianSeconds    float64 `json:"median_seconds"`
	P90Seconds       float64 `json:"p90_seconds"`
	ThroughByAddress float64 `json:"median_let_through_per_address"`

	before, seconds, byAddress []float64
}

func (a *AttackRow) add(t *campaignTally) {
	a.Campaigns++
	a.Requests += t.requests
	for _, n := range t.through {
		a.Through += n
		a.byAddress = append(a.byAddress, float64(n))
	}
	before, after := math.Inf(1), math.Inf(1)
	if t.enforced {
		a.Enforced++
		before, after = float64(t.before), t.seconds
	}
	a.before = append(a.before, before)
	a.seconds = append(a.seconds, after)
}

func (a *AttackRow) close() {
	a.MedianRequests, a.P90Requests = quantile(a.before, .5), quantile(a.before, .9)
	a.MedianSeconds, a.P90Seconds = quantile(a.seconds, .5), quantile(a.seconds, .9)
	a.ThroughByAddress = quantile(a.byAddress, .5)
	a.before, a.seconds, a.byAddress = nil, nil, nil
}

// quantile returns the smallest value that at least the share p of the values does not exceed; -1 when there is none or
// it is infinite. It sorts values.
func quantile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return -1
	}
	slices.Sort(values)
	v := values[max(0, int(math.Ceil(p*float64(len(values))))-1)]
	if math.IsInf(v, 1) {
		return -1
	}
	return v
}
