package scoring

import "math"

// duel is a Bernoulli channel of one entity: whether something happened at each of its trials.
//
// The null is the Beta-binomial prediction: a Beta prior of the population, the entity's own trusted past, and today's
// trials, so that an entity which differs from the population as legitimate ones do is not held to its mean. The
// alternative is the Krichevsky-Trofimov estimate of the latest trials, or one like it with another start, never below
// the null, so that an entity that behaves better than expected earns nothing by it. The null in turn is never below the
// population's mean: who was better yesterday may be as good as anybody today. Nor is it below what today's trials make of
// that mean: a day begins with things that are new and ends with things seen before, so that the past's average over
// whole days would call every morning an attack. Where an entity's true probability is below the null's, the ratio's mean
// is below 1, so this costs power and never validity.
//
// Both forget by halving. The null's memory is kept short because legitimate failures come in clusters, and a null that
// has grown sure of an entity would call a cluster an attack; the alternative's is shorter still, so that it follows a
// change. Neither looks at the trial it predicts, so the ratio stays fair.
type duel struct {
	Hits, Trials             uint16 // today, as the reader of the evidence counts them; saturating
	NullHits, NullTrials     uint8  // today, as the null remembers them
	LatestHits, LatestTrials uint8  // as the alternative remembers them
	PastHits, PastSize       fifths // trusted past, at most maxPast trials
}

// fifths are trials of the past, which count in parts because a day is trusted in parts.
type fifths uint8

const perTrial = 5

func (f fifths) trials() float64 { return float64(f) / perTrial }

// beta is the population's prior of a duel: hits and misses as if seen before.
type beta struct{ hits, misses float64 }

func (b beta) mean() float64 { return b.hits / (b.hits + b.misses) }

// What alternatives believe at the start.
var (
	krichevskyTrofimov = beta{.5, .5}
	// seldom takes one abuser in five for one who does the thing, and then mostly every time. To be undecided about what
	// almost nobody does would cost every entity half of its other evidence at the first trial, and more at each further one.
	seldom = beta{.05, .2}
)

const (
	nullMemory        = 64 // trials at which the null halves its counts of today
	alternativeMemory = 32 // and the alternative
	maxPast           = 50 // trials of the past that count: the population and today are never silenced
)

// null is the probability of a hit at the next trial for a legitimate entity.
func (d *duel) null(prior beta) float64 {
	hits := prior.hits + float64(d.NullHits)
	size := prior.hits + prior.misses + float64(d.NullTrials)
	p := max(hits/size, prior.mean())
	if d.PastSize == 0 {
		return p
	}
	return max(p, (hits+d.PastHits.trials())/(size+d.PastSize.trials()))
}

// alternative is the same for an entity that goes on as it did lately, from what is believed before it did anything.
func (d *duel) alternative(belief beta) float64 {
	return (float64(d.LatestHits) + belief.hits) / (float64(d.LatestTrials) + belief.hits + belief.misses)
}

// expected is how many of today's trials the population and the trusted past would have expected to hit.
func (d *duel) expected(prior beta) float64 {
	yesterday := duel{PastHits: d.PastHits, PastSize: d.PastSize}
	return yesterday.null(prior) * float64(d.Trials)
}

// step takes the next trial and returns its evidence ratio. damp in (0, 1] scales the probability of a hit, for trials
// that cannot always hit.
func (d *duel) step(prior beta, hit bool, damp float64) float64 {
	return d.believingStep(prior, krichevskyTrofimov, hit, damp)
}

// rareStep is step for what hardly any legitimate entity shows: the alternative does not expect it before it has seen
// it. Who shows nothing then keeps the evidence of other channels whole.
func (d *duel) rareStep(prior beta, hit bool, damp float64) float64 {
	return d.believingStep(prior, seldom, hit, damp)
}

// believingStep is step with an alternative that starts from the given belief.
func (d *duel) believingStep(prior, belief beta, hit bool, damp float64) float64 {
	p := d.null(prior)
	q := max(p, d.alternative(belief))
	return d.settle(float64(p*damp), float64(q*damp), hit)
}

// settle ends a trial for which the null gave a hit the probability p and the alternative q.
func (d *duel) settle(p, q float64, hit bool) float64 {
	d.remember(hit)
	switch {
	case q == p:
		return 1
	case hit:
		return q / p
	default:
		return (1 - q) / (1 - p)
	}
}

func (d *duel) remember(hit bool) {
	var one uint8
	if hit {
		one = 1
	}
	addTo(&d.Hits, uint16(one))
	addTo(&d.Trials, 1)
	if d.NullTrials >= nullMemory {
		d.NullHits, d.NullTrials = d.NullHits/2, d.NullTrials/2
	}
	if d.LatestTrials >= alternativeMemory {
		d.LatestHits, d.LatestTrials = d.LatestHits/2, d.LatestTrials/2
	}
	d.NullHits, d.NullTrials = d.NullHits+one, d.NullTrials+1
	d.LatestHits, d.LatestTrials = d.LatestHits+one, d.LatestTrials+1
}

// close ends the day. Its trials join the trusted past with the given weight, 0 to 1. Rounding makes the null expect more.
func (d *duel) close(weight float64) {
	hits := d.PastHits.trials() + float64(weight*float64(d.Hits))
	size := d.PastSize.trials() + float64(weight*float64(d.Trials))
	if size > maxPast {
		hits, size = hits*(maxPast/size), maxPast
	}
	past := duel{PastHits: fifths(math.Ceil(hits * perTrial)), PastSize: fifths(size * perTrial)}
	past.PastHits = min(past.PastHits, past.PastSize)
	*d = past
}
