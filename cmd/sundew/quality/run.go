package quality

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"sundew"
	"sundew/rules"
	"sundew/scoring"
	"sundew/sim"
)

// Config says what to measure on.
type Config struct {
	Seeds       int       // simulations, with the seeds 1 to Seeds; at least 1
	Clients     int       // people in each
	Days        int       // UTC days in each; at least 1
	Rate        float64   // mean requests of a person per day
	Intensities []float64 // every attack of the catalogue begins once a day at each; above 0 and at most 1
	Adaptive    bool      // attackers slow down when delayed and change addresses and devices when blocked
	Incidents   bool      // a crowd, bad releases and an outage on the last day
	// OnProgress is told how many of all simulated seconds are done; may be nil.
	OnProgress func(done, total int64)
}

// DefaultConfig is 10,000 client-days. Its rate is a quarter of what sim takes by default, so that many client-days are
// affordable: rare false positives need their number, not their length.
func DefaultConfig() Config {
	return Config{Seeds: 5, Clients: 2000, Days: 1, Rate: 120, Intensities: []float64{.2, .5, .9}}
}

const day = 24 * time.Hour

// traffic is the simulation with the seed.
func (c Config) traffic(seed uint64) sim.Config {
	s := sim.DefaultConfig()
	s.Seed = seed
	s.Duration = time.Duration(c.Days) * day
	s.Clients = c.Clients
	s.RatePerClient = c.Rate
	s.Attacks = c.attacks()
	if c.Adaptive {
		s.Batch = reactingBatch
	}
	if c.Incidents {
		s.Incidents = sim.Hard().Incidents
		for i := range s.Incidents {
			s.Incidents[i].After += time.Duration(c.Days-1) * day
		}
	}
	return s
}

// attacks begin one after another, evenly over each day.
func (c Config) attacks() []sim.Attack {
	var attacks []sim.Attack
	for _, intensity := range c.Intensities {
		for _, a := range sim.Catalogue() {
			a.Intensity = intensity
			a.Every = day
			attacks = append(attacks, a)
		}
	}
	for i := range attacks {
		attacks[i].After = day * time.Duration(i+1) / time.Duration(len(attacks)+1)
	}
	return attacks
}

// Validate reports the first setting that nothing can be measured with.
func (c Config) Validate() error {
	switch {
	case c.Seeds < 1:
		return fmt.Errorf("seeds is %d: it must be 1 or more", c.Seeds)
	case c.Days < 1 || c.Days > 365:
		return fmt.Errorf("days is %d: it must be 1 to 365", c.Days)
	case len(c.Intensities) == 0:
		return errors.New("intensities is empty: give at least one number above 0 and at most 1")
	}
	for _, i := range c.Intensities {
		if !(i > 0 && i <= 1) {
			return fmt.Errorf("intensities has %g: each must be above 0 and at most 1", i)
		}
	}
	s := c.traffic(1)
	return s.Validate()
}

// Run simulates one seed after another, each with an engine without a past, and adds up what happened. The thresholds of
// the detectors that sundew is compared with are fixed on one more seed, which counts for nothing else. Memory holds one
// seed at a time.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := c.Validate(); err != nil {
		return Report{}, err
	}
	set, err := rules.Load(rules.Starter(), "")
	if err != nil {
		return Report{}, err
	}
	report := newReport(c)
	for seed := range uint64(c.Seeds + 1) {
		r, err := newRun(c, seed, set)
		if err != nil {
			return Report{}, err
		}
		before := int64(seed) * c.seconds()
		if err := r.drive(ctx, func(done int64) { c.progress(before + done) }); err != nil {
			return Report{}, fmt.Errorf("seed %d: %w", seed, err)
		}
		if seed == calibrationSeed {
			report.calibrate(r.contest)
			continue
		}
		report.add(r)
	}
	report.finish()
	return report, nil
}

func (c Config) seconds() int64 { return int64(c.Days) * int64(day/time.Second) }

func (c Config) progress(done int64) {
	if c.OnProgress != nil {
		c.OnProgress(done, int64(c.Seeds+1)*c.seconds())
	}
}

// run is one simulation and what is known of it.
type run struct {
	traffic   *sim.Traffic
	start     time.Time
	scorer    sundew.Scorer
	policy    sundew.Policy
	force     *force
	clients   map[clientDay]*clientTally
	abused    map[entityDay]bool // by a campaign
	campaigns map[string]*campaignTally
	contest   *contest
	forecasts *forecasts
	reactions reactions // nil where attackers do not react
	truth     sim.Truth
}

func newRun(c Config, seed uint64, set *rules.Set) (*run, error) {
	config := c.traffic(seed)
	traffic, err := sim.New(config)
	if err != nil {
		return nil, err
	}
	scorer, err := scoring.New(scoring.DefaultConfig())
	if err != nil {
		return nil, err
	}
	r := &run{
		traffic: traffic, start: config.Start, truth: traffic.Truth(),
		scorer: scorer, policy: rules.NewEngine(set, rules.DefaultConfig()), force: newForce(),
		clients: map[clientDay]*clientTally{}, abused: map[entityDay]bool{}, campaigns: map[string]*campaignTally{},
		contest: newContest(), forecasts: newForecasts(),
	}
	if c.Adaptive {
		r.reactions = reactions{}
	}
	for _, campaign := range r.truth.Campaigns {
		r.campaigns[campaign.Name] = newCampaignTally(campaign)
	}
	return r, nil
}

// drive carries every batch from the traffic through scoring and rules, as sundew.Pipeline does, and joins it with the
// truth.
func (r *run) drive(ctx context.Context, progress func(seconds int64)) error {
	for {
		b, err := r.traffic.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		until := b.Events[len(b.Events)-1].Time
		if r.reactions != nil {
			b.Events = r.reactions.send(b.Events, func(e *sundew.Event) string { return r.traffic.LabelOf(*e).Campaign })
		}
		scores := r.scorer.Score(b)
		r.force.expect(r.policy.Decide(scores))
		for i := range b.Events {
			n := scoresOf(scores, &b.Events[i])
			r.count(&b.Events[i], scores[:n])
			scores = scores[n:]
		}
		progress(int64(until.Sub(r.start) / time.Second))
	}
}

// natsOf returns the evidence of a score. The engine writes it down only from some points on; below, it follows from the
// points, which are the posterior odds of prior and evidence.
func natsOf(s *sundew.Score) float64 {
	if s.Nats != 0 {
		return s.Nats
	}
	prior := scoring.DefaultConfig().Prior
	return math.Log(s.Points/(100-s.Points)) - math.Log(prior/(1-prior))
}

// scoresOf returns how many of the scores, which are ordered by event, are the event's.
func scoresOf(scores []sundew.Score, e *sundew.Event) int {
	n := 0
	for n < len(scores) && scores[n].Event == e {
		n++
	}
	return n
}

// count joins one request with its label and with the decisions that were in force when it came.
func (r *run) count(e *sundew.Event, scores []sundew.Score) {
	hit := r.force.on(e)
	nats := math.Inf(-1)
	for i := range scores {
		if scores[i].Entity.Kind != sundew.KindASN { // which are watched and never acted on
			nats = max(nats, natsOf(&scores[i]))
		}
	}
	label := r.traffic.LabelOf(*e)
	r.contest.count(e, label, nats)
	r.forecasts.count(e, label.Campaign != "", nats)
	key := dayOf(e)
	if label.Campaign != "" {
		r.campaigns[label.Campaign].count(e, hit)
		if r.reactions != nil {
			r.reactions.learn(label.Campaign, hit)
		}
		for i := range scores {
			r.abused[entityDay{scores[i].Entity, key.day}] = true
		}
		return
	}
	tally := r.clients[key]
	if tally == nil {
		tally = &clientTally{segment: label.Segment, address: e.Client}
		r.clients[key] = tally
	}
	tally.count(hit)
	for i := range scores {
		tally.claim(scores[i].Entity, natsOf(&scores[i]))
	}
}
