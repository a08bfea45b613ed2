package quality

import (
	"fmt"
	"io"
	"math"
	"slices"

	"sundew"
	"sundew/cmd/sundew/quality/baseline"
	"sundew/sim"
)

// nominal is the false-positive rate per client-day that every detector of the comparison is set to.
const nominal = 1e-3

// calibrationSeed makes the traffic on which thresholds are fixed; Run measures on seeds from 1 on.
const calibrationSeed = 0

// DetectorRow is how one detector did. Its threshold was fixed on traffic of another seed so that at most the nominal
// share of legitimate client-days exceeded it there.
type DetectorRow struct {
	Detector  string  `json:"detector"`
	Threshold float64 `json:"threshold"` // in the detector's own unit
	Actual    Rate    `json:"actual"`    // legitimate client-days that exceeded it
	Detected  Rate    `json:"detected"`  // campaigns with a request that did
}

// peaks are the highest scores that a detector gave, by legitimate client-day and by campaign of one seed.
type peaks struct {
	clients   map[clientDay]float64
	campaigns map[string]float64
}

func newPeaks() *peaks { return &peaks{map[clientDay]float64{}, map[string]float64{}} }

func (p *peaks) add(e *sundew.Event, label sim.Label, score float64) {
	if label.Campaign != "" {
		raise(p.campaigns, label.Campaign, score)
		return
	}
	raise(p.clients, dayOf(e), score)
}

func raise[K comparable](highest map[K]float64, key K, score float64) {
	if old, ok := highest[key]; !ok || score > old {
		highest[key] = score
	}
}

// threshold returns the lowest score that at most the share of client-days exceed.
func (p *peaks) threshold(share float64) float64 {
	var values []float64
	for _, v := range p.clients {
		values = append(values, v)
	}
	if len(values) == 0 {
		return math.Inf(1)
	}
	slices.Sort(values)
	return values[len(values)-1-int(share*float64(len(values)))]
}

func exceeding[K comparable](highest map[K]float64, threshold float64) int {
	n := 0
	for _, v := range highest {
		n += one(v > threshold)
	}
	return n
}

// contest runs the detectors beside an engine on one seed: the last of its peaks are those of the engine's evidence.
type contest struct {
	detectors []baseline.Detector
	peaks     []*peaks
}

func newContest() *contest {
	c := &contest{detectors: baseline.All(1)}
	for range len(c.detectors) + 1 {
		c.peaks = append(c.peaks, newPeaks())
	}
	return c
}

func (c *contest) count(e *sundew.Event, label sim.Label, nats float64) {
	for i, d := range c.detectors {
		c.peaks[i].add(e, label, d.Score(e))
	}
	c.peaks[len(c.detectors)].add(e, label, nats)
}

// names are those of the detectors in the order of peaks.
func (c *contest) names() []string {
	var names []string
	for _, d := range c.detectors {
		names = append(names, d.Name())
	}
	return append(names, "sundew, evidence of any entity")
}

// calibrate fixes the thresholds of the comparison.
func (r *Report) calibrate(c *contest) {
	for i, name := range c.names() {
		r.Detectors = append(r.Detectors, DetectorRow{Detector: name, Threshold: c.peaks[i].threshold(nominal)})
	}
}

// compare counts one seed against the thresholds.
func (r *Report) compare(c *contest) {
	for i := range r.Detectors {
		d, p := &r.Detectors[i], c.peaks[i]
		d.Actual.Hits += exceeding(p.clients, d.Threshold)
		d.Actual.Of += len(p.clients)
		d.Detected.Hits += exceeding(p.campaigns, d.Threshold)
		d.Detected.Of += len(p.campaigns)
	}
}

func (r *Report) closeComparison() {
	for i := range r.Detectors {
		d := &r.Detectors[i]
		d.Actual = rateOf(d.Actual.Hits, d.Actual.Of)
		d.Detected = rateOf(d.Detected.Hits, d.Detected.Of)
	}
}

func (r Report) writeDetectors(w io.Writer) error {
	fmt.Fprintf(w, "Comparison: thresholds fixed on another seed for %g false positives per legitimate client-day\n", nominal)
	t := aligned(w)
	fmt.Fprintln(t, "detector\tthreshold\tfalse positives\trate\t95 % interval\tcampaigns\tdetected\trate\t95 % interval\t")
	for _, d := range r.Detectors {
		fmt.Fprintf(t, "%s\t%.4g\t%s\t%d\t%s\t\n", d.Detector, d.Threshold, d.Actual, d.Detected.Of, d.Detected)
	}
	return end(t)
}
