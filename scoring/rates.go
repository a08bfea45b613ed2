package scoring

import (
	"math"

	"sundew"
)

// rates are the population's laws of further requests in an active minute, by kind. They are in force for an epoch.
type rates [sundew.NumKinds]rateLaw

// rateLaw is a geometric law whose mean differs between entities: Mean is that of all, and Shrinkage is how many active
// minutes of an entity's own it takes to say as much about its mean as that of all does (empirical Bayes; Efron and
// Morris, 1973): the variance of a minute over that of the entities' means.
type rateLaw struct{ Mean, Shrinkage float32 }

// assumedRates hold until enough is known. App sessions have 4.2 further requests in an active minute; real page views of
// a public web site fewer, as what a page brings along is not counted. A key stands for a machine or for a whole app.
var assumedRates = rates{
	sundew.KindIP:      {8, 40},
	sundew.KindDevice:  {8, 40},
	sundew.KindAccount: {8, 40},
	sundew.KindAPIKey:  {200, 40},
}

const (
	leastMinutes = 5      // active minutes of a day with a vote
	leastRates   = 200    // votes below which the assumed law holds
	mostMean     = 3      // times the mean in force, beyond which a vote counts as that: an abuser is one vote among many
	rateMargin   = 1.25   // on the mean that was measured
	leastMean    = .5     // of the assumed mean is the least in force
	rateDrift    = 1.1    // factor that the mean in force may change by in an epoch
	leastShrink  = 10     // active minutes
	mostShrink   = 80     // likewise
	rateUnit     = 1 << 8 // of the sums, which are whole numbers so that their order changes nothing
)

// rateVotes are sums over client-days, of those with enough active minutes, in rateUnit.
type rateVotes [sundew.NumKinds]struct {
	Days    uint32
	Means   uint64
	Squares uint64 // of the means, in rateUnit squared
	Shorts  uint64 // of one over the active minutes
}

// knownRates are the same, old client-days counting in part.
type knownRates [sundew.NumKinds]struct{ Days, Mean, Square, Short float64 }

// vote counts a client-day that closes. Tenured devices behind an entity share its requests.
func (v *rateVotes) vote(s *state, law rateLaw) {
	if s.Windows < leastMinutes || law.Mean == 0 {
		return
	}
	minutes := float64(s.Windows)
	mean := (float64(s.today())/minutes - 1) / max(1, s.tenured())
	units := uint64(max(min(mean, float64(mostMean*law.Mean)), 0) * rateUnit)
	sums := &v[s.Kind]
	sums.Days++
	sums.Means += units
	sums.Squares += units * units
	sums.Shorts += uint64(rateUnit / minutes)
}

// turnRates ends an epoch.
func (e *Engine) turnRates() {
	votes := e.rateVotes()
	for i := range e.cells {
		e.cells[i].rates = rateVotes{}
	}
	p := &e.population
	for kind := range votes {
		k, v := &p.knownRates[kind], &votes[kind]
		k.Days = float64(k.Days*remembered) + float64(v.Days)
		k.Mean = float64(k.Mean*remembered) + float64(float64(v.Means)/rateUnit)
		k.Square = float64(k.Square*remembered) + float64(float64(v.Squares)/(rateUnit*rateUnit))
		k.Short = float64(k.Short*remembered) + float64(float64(v.Shorts)/rateUnit)
		if k.Days >= leastRates {
			p.believed.Rates[kind] = p.believed.Rates[kind].moved(k.Mean/k.Days, k.Square/k.Days, k.Short/k.Days, assumedRates[kind])
		}
	}
}

// rateVotes are the votes of the epoch. Which cell holds a vote changes nothing.
func (e *Engine) rateVotes() (sum rateVotes) {
	for i := range e.cells {
		for kind := range sum {
			v, more := &sum[kind], &e.cells[i].rates[kind]
			v.Days += more.Days
			v.Means += more.Means
			v.Squares += more.Squares
			v.Shorts += more.Shorts
		}
	}
	return sum
}

// valid says that a law can be in force.
func (l rateLaw) valid() bool {
	return l.Mean >= 0 && l.Mean < math.MaxFloat32 && l.Shrinkage >= 0 && l.Shrinkage <= mostShrink
}

// moved is the next epoch's law after the moments of the entities' means and of one over their active minutes.
func (l rateLaw) moved(mean, square, short float64, assumed rateLaw) rateLaw {
	ofMinute := float64(mean * (1 + mean))
	ofEntities := square - float64(mean*mean) - float64(ofMinute*short)
	shrink := float64(mostShrink)
	if ofEntities > 0 {
		shrink = min(max(ofMinute/ofEntities, leastShrink), mostShrink)
	}
	next := max(rateMargin*mean, float64(leastMean*assumed.Mean))
	now := float64(l.Mean)
	return rateLaw{float32(min(max(next, now/rateDrift), float64(now*rateDrift))), float32(shrink)}
}
