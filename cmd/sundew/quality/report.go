package quality

import (
	"cmp"
	"math"
	"slices"
)

// Report is what a measurement found.
type Report struct {
	Seeds       int       `json:"seeds"`
	Clients     int       `json:"clients"`
	Days        int       `json:"days"`
	Rate        float64   `json:"requests_per_client_day"`
	Intensities []float64 `json:"intensities"`
	Adaptive    bool      `json:"adaptive"`

	Segments    []SegmentRow  `json:"segments"` // as sim lists them, then "all"
	ByAddress   Clustered     `json:"by_address"`
	Rules       []RuleRow     `json:"rules"`   // those that hit a legitimate client, by name
	Attacks     []AttackRow   `json:"attacks"` // as the catalogue lists them, then by intensity as asked for
	Calibration []Calibration `json:"calibration"`
	Reliability Reliability   `json:"reliability"`
	Detectors   []DetectorRow `json:"detectors"` // the baselines, then sundew's evidence under the same treatment
}

// Calibration compares the bound on false positives with what happened: the share of legitimate client-days on which the
// ledger of an entity that their requests named, and that no campaign used that day, reached ln(1/Alpha) nats.
type Calibration struct {
	Alpha  float64 `json:"alpha"`
	Actual Rate    `json:"actual"`
}

// RuleRow is what one rule or ladder did to legitimate clients. A request under several counts for the hardest.
type RuleRow struct {
	Rule       string `json:"rule"`
	Requests   int    `json:"requests"` // under a tarpit or harder
	ClientDays Rate   `json:"client_days"`
}

// levels are the nominal rates that Calibration asks about, the loosest first.
var levels = [...]float64{1e-1, 1e-2, 1e-3, 1e-4, 1e-5}

const everybody = "all"

func newReport(c Config) Report {
	r := Report{Seeds: c.Seeds, Clients: c.Clients, Days: c.Days, Rate: c.Rate, Intensities: c.Intensities, Adaptive: c.Adaptive}
	for _, alpha := range levels {
		r.Calibration = append(r.Calibration, Calibration{Alpha: alpha})
	}
	return r
}

// add counts the clients and campaigns of one seed.
func (r *Report) add(run *run) {
	for _, s := range run.truth.Segments {
		r.segment(s.Name)
	}
	for who, tally := range run.clients {
		r.segment(tally.segment).add(tally)
		for rule, n := range tally.byRule {
			r.rule(rule).Requests += n
			r.rule(rule).ClientDays.Hits++
		}
		nats := tally.nats(who.day, run.abused)
		for i := range r.Calibration {
			if nats >= -math.Log(r.Calibration[i].Alpha) {
				r.Calibration[i].Actual.Hits++
			}
		}
	}
	r.compare(run.contest)
	r.Reliability.add(run.forecasts)
	r.cluster(run.clients)
	for _, a := range run.truth.Campaigns {
		r.attack(a.Attack, a.Intensity).add(run.campaigns[a.Name])
	}
}

// finish computes rates and quantiles from the counts.
func (r *Report) finish() {
	all := SegmentRow{Segment: everybody}
	for i := range r.Segments {
		s := &r.Segments[i]
		s.close()
		all.merge(s)
	}
	all.close()
	r.Segments = append(r.Segments, all)
	for i := range r.Attacks {
		r.Attacks[i].close()
	}
	r.closeComparison()
	r.Reliability.close()
	r.closeClusters()
	slices.SortFunc(r.Rules, func(a, b RuleRow) int { return cmp.Compare(a.Rule, b.Rule) })
	for i := range r.Rules {
		r.Rules[i].ClientDays = rateOf(r.Rules[i].ClientDays.Hits, all.ClientDays)
	}
	for i := range r.Calibration {
		rate := &r.Calibration[i].Actual
		*rate = rateOf(rate.Hits, all.ClientDays)
	}
}

func (s *SegmentRow) merge(o *SegmentRow) {
	s.Requests += o.Requests
	s.Delayed += o.Delayed
	s.Refused += o.Refused
	s.ClientDays += o.ClientDays
	s.Tarpitted.Hits += o.Tarpitted.Hits
	s.Blocked.Hits += o.Blocked.Hits
	s.ByScore.Hits += o.ByScore.Hits
	s.ByPoints.Hits += o.ByPoints.Hits
}

func (r *Report) segment(name string) *SegmentRow {
	for i := range r.Segments {
		if r.Segments[i].Segment == name {
			return &r.Segments[i]
		}
	}
	r.Segments = append(r.Segments, SegmentRow{Segment: name})
	return &r.Segments[len(r.Segments)-1]
}

func (r *Report) attack(name string, intensity float64) *AttackRow {
	for i := range r.Attacks {
		if r.Attacks[i].Attack == name && r.Attacks[i].Intensity == intensity {
			return &r.Attacks[i]
		}
	}
	r.Attacks = append(r.Attacks, AttackRow{Attack: name, Intensity: intensity})
	return &r.Attacks[len(r.Attacks)-1]
}

func (r *Report) rule(name string) *RuleRow {
	for i := range r.Rules {
		if r.Rules[i].Rule == name {
			return &r.Rules[i]
		}
	}
	r.Rules = append(r.Rules, RuleRow{Rule: name})
	return &r.Rules[len(r.Rules)-1]
}
