package baseline

import (
	"math"

	"sundew"
)

// MIDASF is MIDAS-F, which looks for sudden groups of similar edges in a stream: count-min sketches hold the edges of the
// running tick and those of all ticks, and what looks like an attack is kept out of the latter. Source: Bhatia, Liu,
// Hooi, Yoon, Shin, Faloutsos: Real-time anomaly detection in edge streams, TKDD 16 (2022), algorithm 4; constants as in
// the authors' demonstration.
type MIDASF struct {
	threshold float64
	tick      int
	edge      *filtered
	source    *filtered
	target    *filtered
	start     int64 // minute before the first of a log
}

// The parameters of the demonstration: two rows of 1,024 counters, half of each count kept at a tick.
const (
	midasRows      = 2
	midasColumns   = 1024
	midasFactor    = .5
	midasThreshold = 1000
)

// NewMIDASF returns a MIDAS-F without a past.
func NewMIDASF(seed uint64) *MIDASF {
	return &MIDASF{
		threshold: midasThreshold, tick: 1,
		edge: newFiltered(seed), source: newFiltered(seed + 1), target: newFiltered(seed + 2),
	}
}

// NewMIDASFOfRequests returns a MIDAS-F whose edges lead from addresses to routes, with a tick a minute.
func NewMIDASFOfRequests(seed uint64) *MIDASF { return NewMIDASF(seed) }

// Name returns the name for tables.
func (m *MIDASF) Name() string { return "MIDAS-F of address and route" }

// Score takes the request as an edge from its address to its route.
func (m *MIDASF) Score(e *sundew.Event) float64 {
	minute := e.Time.Unix() / 60
	if m.start == 0 {
		m.start = minute - 1
	}
	return m.Edge(Hash(1, e.Client.String()), Hash(2, e.Method+" "+e.Route), int(minute-m.start))
}

// Edge counts an edge and returns how surprising its number in the tick is: the highest score of the edge, its source
// and its target. Ticks begin at 1 and do not fall.
func (m *MIDASF) Edge(source, target uint64, tick int) float64 {
	if m.tick < tick {
		for _, f := range []*filtered{m.edge, m.source, m.target} {
			f.merge(m.threshold, m.tick)
		}
		m.tick = tick
	}
	return max(
		m.edge.score(mix(source)^target, tick),
		m.source.score(source, tick),
		m.target.score(target, tick),
	)
}

// filtered is the counts of one kind of thing: in the running tick, over all ticks, and the score each counter last had.
type filtered struct {
	seeds               [midasRows]uint64
	current, past, last [midasRows * midasColumns]float64
}

func newFiltered(seed uint64) *filtered {
	f := &filtered{}
	for row := range f.seeds {
		f.seeds[row] = mix(seed<<8 + uint64(row))
	}
	return f
}

// score counts one more, and returns the chi-squared statistic of the running tick against the mean of those before.
func (f *filtered) score(key uint64, tick int) float64 {
	current, past := math.Inf(1), math.Inf(1)
	var at [midasRows]int
	for row, seed := range f.seeds {
		at[row] = row*midasColumns + int(mix(key^seed)%midasColumns)
		f.current[at[row]]++
		current = min(current, f.current[at[row]])
		past = min(past, f.past[at[row]])
	}
	s := chiSquared(current, past, tick)
	for _, i := range at {
		f.last[i] = s
	}
	return s
}

// chiSquared is (a+s-at)^2 / (s(t-1)) of the paper, 0 where nothing is known yet.
func chiSquared(a, s float64, tick int) float64 {
	if s == 0 || tick <= 1 {
		return 0
	}
	t := float64(tick)
	off := a + s - a*t
	return off * off / (s * (t - 1))
}

// merge takes the running tick into the past: as it is where its score is below the threshold, else as one more tick of
// the past's mean.
func (f *filtered) merge(threshold float64, tick int) {
	for i := range f.current {
		switch {
		case f.last[i] < threshold:
			f.past[i] += f.current[i]
		case tick > 1:
			f.past[i] += f.past[i] / float64(tick-1)
		}
		f.current[i] *= midasFactor
	}
}
