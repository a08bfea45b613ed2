package quality

import (
	"fmt"
	"io"
	"math"
	"slices"

	"sundew"
	"sundew/scoring"
)

// Reliability says how far points can be read as the probability that they are stated as. The unit is the client-day, of a
// legitimate client or of an identity that a campaign used, with the highest points that any entity of its requests had, shared
// ones too: a maximum over a day overstates for the legitimate what is a bound.
// Simulated traffic has far more abuse than the prior expects, so that legitimate and abusive client-days are weighed to
// have the prior's shares.
type Reliability struct {
	Prior float64          `json:"prior"`
	Bins  []ReliabilityBin `json:"bins"`
	// Brier is the mean squared difference between probability and truth, LogScore the mean nats that the truth costs.
	// Base has the same of a forecast that knows the prior alone.
	Brier        float64 `json:"brier"`
	LogScore     float64 `json:"log_score"`
	BaseBrier    float64 `json:"base_brier"`
	BaseLogScore float64 `json:"base_log_score"`

	legitimate, abusive []float64 // probabilities
}

// ReliabilityBin is client-days with points From up to To.
type ReliabilityBin struct {
	From       float64 `json:"from"`
	To         float64 `json:"to"`
	Legitimate int     `json:"legitimate"`
	Abusive    int     `json:"abusive"`
	Stated     float64 `json:"stated"` // mean probability of abuse
	Actual     float64 `json:"actual"` // share of abuse, both weighed to the prior
}

var reliabilityEdges = [...]float64{0, .1, 1, 10, 50, 80, 90, 99, 100}

// forecasts are the most evidence of the client-days of one seed.
type forecasts struct{ legitimate, abusive map[clientDay]float64 }

func newForecasts() *forecasts {
	return &forecasts{map[clientDay]float64{}, map[clientDay]float64{}}
}

func (f *forecasts) count(e *sundew.Event, abusive bool, nats float64) {
	if abusive {
		raise(f.abusive, dayOf(e), nats)
	} else {
		raise(f.legitimate, dayOf(e), nats)
	}
}

func (r *Reliability) add(f *forecasts) {
	r.Prior = scoring.DefaultConfig().Prior
	for _, nats := range f.legitimate {
		r.legitimate = append(r.legitimate, probability(nats, r.Prior))
	}
	for _, nats := range f.abusive {
		r.abusive = append(r.abusive, probability(nats, r.Prior))
	}
}

// probability is the posterior probability of abuse.
func probability(nats, prior float64) float64 {
	return 1 / (1 + math.Exp(-nats)*(1-prior)/prior)
}

func (r *Reliability) close() {
	if len(r.legitimate) == 0 || len(r.abusive) == 0 {
		return
	}
	weightLegitimate := (1 - r.Prior) / float64(len(r.legitimate))
	weightAbusive := r.Prior / float64(len(r.abusive))
	r.score(r.legitimate, 0, weightLegitimate)
	r.score(r.abusive, 1, weightAbusive)
	r.BaseBrier = r.Prior * (1 - r.Prior)
	r.BaseLogScore = -r.Prior*math.Log(r.Prior) - (1-r.Prior)*math.Log1p(-r.Prior)
	for i, from := range reliabilityEdges[:len(reliabilityEdges)-1] {
		b := ReliabilityBin{From: from, To: reliabilityEdges[i+1]}
		legitimate, statedLegitimate := b.within(r.legitimate)
		abusive, statedAbusive := b.within(r.abusive)
		b.Legitimate, b.Abusive = legitimate, abusive
		if all := float64(legitimate)*weightLegitimate + float64(abusive)*weightAbusive; all > 0 {
			b.Stated = (statedLegitimate*weightLegitimate + statedAbusive*weightAbusive) / all
			b.Actual = float64(abusive) * weightAbusive / all
		}
		r.Bins = append(r.Bins, b)
	}
	r.legitimate, r.abusive = nil, nil
}

// score adds what forecasts of one truth cost. Sorted, they add up to the same bits whatever order they came in.
func (r *Reliability) score(forecasts []float64, truth, weight float64) {
	slices.Sort(forecasts)
	for _, p := range forecasts {
		r.Brier += weight * (p - truth) * (p - truth)
		r.LogScore -= weight * math.Log(max(math.Abs(1-truth-p), math.SmallestNonzeroFloat64))
	}
}

// within counts the probabilities in the bin and adds them up.
func (b *ReliabilityBin) within(forecasts []float64) (n int, sum float64) {
	last := b.To == reliabilityEdges[len(reliabilityEdges)-1]
	for _, p := range forecasts {
		if points := 100 * p; points >= b.From && (points < b.To || last) {
			n++
			sum += p
		}
	}
	return n, sum
}

func (r Report) writeReliability(w io.Writer) error {
	fmt.Fprintf(w, "Reliability: client-days by their highest points, weighed to a share of abuse of %g\n", r.Reliability.Prior)
	t := aligned(w)
	fmt.Fprintln(t, "points\tlegitimate\tabusive\tstated\tactual\t")
	for _, b := range r.Reliability.Bins {
		fmt.Fprintf(t, "%g..%g\t%d\t%d\t%.2e\t%.2e\t\n", b.From, b.To, b.Legitimate, b.Abusive, b.Stated, b.Actual)
	}
	if err := end(t); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Brier score %.3g (%.3g knowing the prior alone), log score %.3g nats (%.3g)\n\n",
		r.Reliability.Brier, r.Reliability.BaseBrier, r.Reliability.LogScore, r.Reliability.BaseLogScore)
	return err
}
