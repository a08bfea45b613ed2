package scoring

import "sundew"

// believed is what the population taught the channels, in force for an epoch.
type believed struct {
	Rates rates
	Means means
}

// means are how often a trial of a duel hits for a legitimate entity, by channel and kind; 0 where nothing is known. They
// only ever raise what the channels assume: where an API turns away one log-in in four from everybody, or its people
// rarely come back to a page, that is no sign of abuse.
type means [numChannels][sundew.NumKinds]float32

func newBelieved() believed { return believed{Rates: assumedRates} }

var nothingLearned = newBelieved()

const (
	meanTrials = 8       // of an entity's day count, so that nobody speaks for all
	leastHeard = 500     // trials below which the channel's assumption holds
	meanMargin = 1.25    // on the odds that were measured
	mostOdds   = 4       // times the assumed odds are the most in force
	meanDrift  = 1.1     // factor that the odds in force may grow by in an epoch
	hitUnit    = 1 << 12 // of hits in the sums, which are whole numbers so that their order changes nothing
)

// learns are the channels whose trials all entities have alike. Others only listen once something has happened, and would
// learn what those do to whom it happens.
var learns = [...]int{chAuth, chClientError, chLimited, chPaths, chAccounts, chDevices, chObjects}

// heard are sums over client-days of entities that were known the day before.
type heard [len(learns)][sundew.NumKinds]struct{ Hits, Trials uint64 }

// knownHeard are the same, old client-days counting in part.
type knownHeard [len(learns)][sundew.NumKinds]struct{ Hits, Trials float64 }

// vote counts a client-day that closes.
func (v *heard) vote(s *state) {
	if dayOf(s.First) >= s.Day {
		return
	}
	for i, ch := range learns {
		if ch >= numHot && !s.hasCold() {
			continue
		}
		d := s.duel(ch)
		if d.Trials == 0 {
			continue
		}
		sums, counted := &v[i][s.Kind], min(uint64(d.Trials), meanTrials)
		sums.Trials += counted
		sums.Hits += uint64(d.Hits) * counted * hitUnit / uint64(d.Trials)
	}
}

// heard are the votes of the epoch. Which cell holds a vote changes nothing.
func (e *Engine) heard() (sum heard) {
	for i := range e.cells {
		for ch := range sum {
			for kind := range sum[ch] {
				sum[ch][kind].Hits += e.cells[i].heard[ch][kind].Hits
				sum[ch][kind].Trials += e.cells[i].heard[ch][kind].Trials
			}
		}
	}
	return sum
}

// turnMeans ends an epoch.
func (e *Engine) turnMeans() {
	votes, p := e.heard(), &e.population
	for i := range e.cells {
		e.cells[i].heard = heard{}
	}
	for i, ch := range learns {
		for kind := range votes[i] {
			k, v := &p.heard[i][kind], votes[i][kind]
			k.Hits = float64(k.Hits*remembered) + float64(float64(v.Hits)/hitUnit)
			k.Trials = float64(k.Trials*remembered) + float64(v.Trials)
			if k.Trials >= leastHeard {
				p.believed.Means[ch][kind] = moved(p.believed.Means[ch][kind], k.Hits/k.Trials, channels[ch].prior[kind])
			}
		}
	}
	// Hardly any group is known the day before: what holds for addresses holds for them.
	for _, group := range [...]sundew.Kind{sundew.KindFingerprint, sundew.KindASN} {
		p.believed.Means[chAuth][group] = p.believed.Means[chAuth][sundew.KindIP]
	}
}

// moved is the mean in force in the next epoch after what was measured.
func moved(now float32, measured float64, assumed beta) float32 {
	if assumed == (beta{}) {
		return 0
	}
	least := assumed.hits / assumed.misses
	odds := max(oddsOf(float64(now)), least)
	next := max(float64(meanMargin*oddsOf(min(measured, .999))), least)
	next = min(next, float64(mostOdds*least), float64(odds*meanDrift))
	return float32(next / (1 + next))
}

func oddsOf(p float64) float64 { return p / (1 - p) }

// prior is the channel's prior of the entity's kind, its mean raised to what was learned.
func (s *state) prior(ch int, assumed *priorOf) beta {
	b := assumed[s.Kind]
	if mean := float64(s.believed.Means[ch][s.Kind]); mean > b.mean() {
		size := b.hits + b.misses
		return beta{float64(mean * size), size - float64(mean*size)}
	}
	return b
}

func (m *means) valid() bool {
	for ch := range m {
		for _, mean := range m[ch] {
			if !(mean >= 0 && mean < 1) {
				return false
			}
		}
	}
	return true
}
