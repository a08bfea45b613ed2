package scoring

import "sundew"

// The climate is how the population as a whole fares at the moment. When a release of the app is broken or the API is
// down, requests of everybody fail: a failure then says little about the client that met it. So the probability that
// the outcome channels expect is lifted by how much more entities fail than usual.
//
// Only entities that were known the day before have a vote, one in a quarter of an hour, so that neither a crowd of fresh
// addresses nor a single loud device can call its own failures the weather. The climate is a minute old when it is used:
// it is replaced between minutes of the log.
type climate [sundew.NumKinds][numWeathered]air

// What the climate is about: the outcome channels that it bears on, and the service's own failures, which show an outage
// before log-ins do.
const (
	ofAuth = iota
	ofClientError
	ofServerError
	numWeathered
	ofDenied = numWeathered // shares the weather of client errors
)

// weatherOf is which weather bears on an outcome.
func weatherOf(outcome int) int {
	if outcome == ofDenied {
		return ofClientError
	}
	return outcome
}

// air is the share of voters to whom something happened, lately and usually.
type air struct {
	LateHits, LateVotes   float32 // forgotten within minutes
	UsualHits, UsualVotes float32 // forgotten within days
	Lift                  float32 // in force, at least 1
	Share                 float32 // of voters that were hit lately
}

// lift is the highest of the kind.
func (c *climate) lift(kind uint8) float64 {
	var most float32
	for what := range c[kind] {
		most = max(most, c[kind][what].Lift)
	}
	return float64(most)
}

// votes are those of one minute.
type votes struct{ Hits, All uint32 }

func (v *votes) add(more votes) {
	v.Hits += more.Hits
	v.All += more.All
}

const (
	voteEvery   = 15          // minutes
	lateMemory  = .935        // of the votes are left a minute later, which is a third after voteEvery
	usualMemory = 1 - 1./4320 // three days
	fewHits     = 10          // late hits below which nothing is lifted
	leastLift   = 2           // how far above the usual is no chance
	usualDoubt  = 20          // votes at one hit in 20 that stand for what is usual before it is known
	// What is out of the ordinary becomes the usual in weeks, or it would end its own lift within the hour.
	lastingWeight = 1. / 60
	liftCeiling   = .95 // the highest probability that a lift leads to
)

// calm lifts nothing.
var calm = func() (c climate) {
	for kind := range c {
		for what := range c[kind] {
			c[kind][what].Lift = 1
		}
	}
	return c
}()

// breathe takes a minute's votes.
func (a *air) breathe(v votes) {
	a.LateHits = float32(a.LateHits*lateMemory) + float32(v.Hits)
	a.LateVotes = float32(a.LateVotes*lateMemory) + float32(v.All)
	a.Share = min(a.LateHits/max(a.LateVotes, 1), 1)
	usual := (a.UsualHits + usualDoubt/20) / (a.UsualVotes + usualDoubt)
	a.Lift = 1
	if lift := a.Share / usual; a.LateHits >= fewHits && lift >= leastLift {
		a.Lift = lift
	}
	weight := float32(1)
	if a.Lift > 1 {
		weight = lastingWeight
	}
	a.UsualHits = float32(a.UsualHits*usualMemory) + float32(weight*float32(v.Hits))
	a.UsualVotes = float32(a.UsualVotes*usualMemory) + float32(weight*float32(v.All))
}

// pass goes on to a later minute of the log. Minutes without events leave the climate as it is.
func (e *Engine) pass() {
	e.passVolumes()
	c := &e.population.climate
	for kind := range c {
		for what := range c[kind] {
			var sum votes
			for i := range e.cells {
				sum.add(e.cells[i].weather[kind][what])
				e.cells[i].weather[kind][what] = votes{}
			}
			c[kind][what].breathe(sum)
		}
	}
}

// tell lets the entity vote on what the event was answered with.
func (c *cell) tell(s *state, t *trial) {
	if dayOf(s.First) >= s.Day && t.tenured == 0 {
		return
	}
	if minute := minuteOf(s.Last); minute >= s.ToldMinute+voteEvery {
		s.ToldMinute, s.Told = minute, 0
	}
	if what, failed, spoke := t.outcome(); spoke {
		c.vote(s, weatherOf(what), failed)
	}
	if t.status != 0 && !t.ours {
		c.vote(s, ofServerError, t.status >= 500 && t.status <= 599)
	}
}

// vote counts once in the entity's turn that it was asked, and once that it was hit.
func (c *cell) vote(s *state, what int, hit bool) {
	wasAsked, wasHit := uint8(1)<<(2*what), uint8(2)<<(2*what)
	v := &c.weather[s.Kind][what]
	if s.Told&wasAsked == 0 {
		v.All++
		s.Told |= wasAsked
	}
	if hit && s.Told&wasHit == 0 {
		v.Hits++
		s.Told |= wasHit
	}
}

// lifted takes a trial of a duel whose null the climate bears on. In bad weather an entity is either among those who are
// hit, and then at nearly every trial, or it is not: the null believes that of it in the proportion that the climate has,
// and learns which as fast as the alternative does.
func (d *duel) lifted(prior, belief beta, hit bool, a *air) float64 {
	p := d.null(prior)
	q := max(p, d.alternative(belief))
	if a.Lift > 1 {
		share := float64(a.Share)
		p = max(min(p*float64(a.Lift), liftCeiling), min(d.alternative(beta{share, 1 - share}), liftCeiling), p)
		q = max(p, q)
	}
	return d.settle(p, q, hit)
}
