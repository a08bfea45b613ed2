package law_test

import (
	"math"
	"math/rand"
	"slices"
	"sort"
	"testing"

	"gonum.org/v1/gonum/mathext"

	"sundew/scoring/law"
)

// fisher merges independent p-values by the chi-square law of -2 sum ln p; it takes and returns logarithms.
func fisher(logPs []float64) float64 {
	return law.GammaLogTail(float64(len(logPs)), 1, fisherStatistic(logPs)/2)
}

func fisherStatistic(logPs []float64) float64 {
	sum := 0.0
	for _, lp := range logPs {
		sum -= lp
	}
	return 2 * sum
}

// stouffer merges independent p-values by the sum of their normal scores; it takes and returns logarithms.
func stouffer(logPs []float64) float64 {
	return law.NormalLogTail(stoufferStatistic(logPs))
}

func stoufferStatistic(logPs []float64) float64 {
	sum := 0.0
	for _, lp := range logPs {
		sum -= mathext.NormalQuantile(math.Exp(lp))
	}
	return sum / math.Sqrt(float64(len(logPs)))
}

func TestRulesForIndependentPsAreGolden(t *testing.T) {
	for _, e := range goldenEntries(t, "Fisher's combined p") {
		e.check(t, math.Exp(fisher(e.logPs(t))))
	}
	for _, e := range goldenEntries(t, "Fisher's statistic") {
		e.check(t, fisherStatistic(e.logPs(t)))
	}
	for _, e := range goldenEntries(t, "Stouffer's z") {
		e.checkWithin(t, stoufferStatistic(e.logPs(t)), 1e-13) // gonum's quantile
	}
	for _, e := range goldenEntries(t, "Stouffer's combined p") {
		e.checkWithin(t, math.Exp(stouffer(e.logPs(t))), 1e-13) // gonum's quantile
	}
}

// TestDependentChannelsBreakFisherAndStouffer is why behaviour channels are not merged as if they were independent: what
// makes one of a client's channels loud makes the others loud.
func TestDependentChannelsBreakFisherAndStouffer(t *testing.T) {
	const draws, channels, level = 40_000, 12, 1e-3
	rules := map[string]func([]float64) float64{"Fisher": fisher, "Stouffer": stouffer, "ACAT": law.ACAT}
	for _, c := range []struct {
		name  string
		rho   float64
		holds map[string]bool
	}{
		{"independent", 0, map[string]bool{"Fisher": true, "Stouffer": true, "ACAT": true}},
		{"correlation .5", .5, map[string]bool{"ACAT": true}},
	} {
		r := rand.New(rand.NewSource(6))
		loud := map[string]int{}
		logPs := make([]float64, channels)
		for range draws {
			shared := r.NormFloat64()
			for i := range logPs {
				logPs[i] = law.NormalLogTail(math.Sqrt(c.rho)*shared + math.Sqrt(1-c.rho)*r.NormFloat64())
			}
			for name, merge := range rules {
				if merge(logPs) <= math.Log(level) {
					loud[name]++
				}
			}
		}
		for name := range rules {
			actual := float64(loud[name]) / draws
			t.Logf("%s, %s: %v at a nominal %v", c.name, name, actual, level)
			if c.holds[name] && !(actual > .4*level && actual < 1.8*level) {
				t.Errorf("%s, %s: %v at a nominal %v", c.name, name, actual, level)
			}
			if !c.holds[name] && actual < 10*level {
				t.Errorf("%s, %s: %v at a nominal %v is better than known", c.name, name, actual, level)
			}
		}
	}
}

const minutesOfDay = 1440

// traffic draws legitimate clients: sessions come by a client's own rate and the hour, last some minutes, and each of their
// minutes has an overdispersed number of requests.
type traffic struct{ *rand.Rand }

// gamma draws from the gamma law with scale 1 (Marsaglia and Tsang, 2000).
func (r traffic) gamma(shape float64) float64 {
	if shape < 1 {
		return r.gamma(shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1./3
	for {
		x := r.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

func (r traffic) clientRate() float64 { return .15 * r.gamma(.6) / .6 }

func (r traffic) day(rate float64) []int {
	counts := make([]int, minutesOfDay)
	for start := range counts {
		season := 1 + .6*math.Sin(2*math.Pi*float64(start)/minutesOfDay)
		for range drawPoisson(r.Rand, rate*season/6) {
			for minute := start; minute < minutesOfDay; minute++ {
				counts[minute] += drawPoisson(r.Rand, r.gamma(1.2)*4/1.2)
				if r.Float64() < .3 {
					break
				}
			}
		}
	}
	return counts
}

// client has one day to learn from and one to be judged by.
type client struct{ history, today []int }

func (r traffic) clients(n int) []client {
	all := make([]client, n)
	for i := range all {
		rate := r.clientRate()
		all[i] = client{r.day(rate), r.day(rate)}
	}
	return all
}

// null says what counts a legitimate client's windows have: which windows it is about, less what, and around which mean.
type null struct {
	ofActive   bool // only of windows with a request in them, and about those after the first
	population law.NegativeBinomial
	pool       []float64 // sorted log tails of calibration windows
}

func (n *null) values(day []int) []int {
	if !n.ofActive {
		return day
	}
	var further []int
	for _, count := range day {
		if count > 0 {
			further = append(further, count-1)
		}
	}
	return further
}

func fitNull(t *testing.T, ofActive bool, calibration []client) *null {
	t.Helper()
	n := &null{ofActive: ofActive}
	var sample []int
	for _, c := range calibration[:min(len(calibration), 100)] {
		sample = append(sample, n.values(c.history)...)
	}
	var err error
	if n.population, err = law.FitNegativeBinomial(sample); err != nil {
		t.Fatal(err)
	}
	for _, c := range calibration {
		n.pool = append(n.pool, n.logTails(c)...)
	}
	slices.Sort(n.pool)
	return n
}

// logTails has one of each window of the client's day, around the mean of its history shrunk to the population's.
func (n *null) logTails(c client) []float64 {
	const kappa = 20
	sum, windows := kappa*n.population.Mean, float64(kappa)
	for _, value := range n.values(c.history) {
		sum, windows = sum+float64(value), windows+1
	}
	own := law.NegativeBinomial{Shape: n.population.Shape, Mean: sum / windows}
	var tails []float64
	for _, value := range n.values(c.today) {
		tails = append(tails, own.LogTail(value))
	}
	return tails
}

// accuses reports whether the ledger of the windows' e-values ever reaches 1/alpha: the mixture over start times, whose
// weights sum to 1.
func (n *null) accuses(c client, alpha float64) bool {
	const starts = 300
	m := 0.0
	for i, tail := range n.logTails(c) {
		rank := sort.Search(len(n.pool), func(j int) bool { return n.pool[j] > tail })
		p := float64(1+rank) / float64(len(n.pool)+1)
		if i < starts {
			m += 1. / starts
		}
		m *= math.Exp(law.MixtureLogE(math.Log(p)))
		if m >= 1/alpha {
			return true
		}
	}
	return false
}

// TestMarginalPsOfBurstyWindowsDoNotMultiply is why the rate channel judges active minutes only. Over all minutes of a day
// each p-value is valid, but a session makes the next minute's small as well, and the product accuses the innocent.
func TestMarginalPsOfBurstyWindowsDoNotMultiply(t *testing.T) {
	const clients, alpha = 1_000, 1e-3
	r := traffic{rand.New(rand.NewSource(7))}
	calibration, judged := r.clients(clients/2), r.clients(clients)
	share := func(ofActive bool) float64 {
		n, accused := fitNull(t, ofActive, calibration), 0
		for _, c := range judged {
			if n.accuses(c, alpha) {
				accused++
			}
		}
		return float64(accused) / clients
	}
	all, active := share(false), share(true)
	t.Logf("accused at a nominal %v: %v by all minutes, %v by active minutes", alpha, all, active)
	if all < 50*alpha {
		t.Errorf("marginal p-values accuse %v of the legitimate clients, less than known", all)
	}
	if active > 4*alpha {
		t.Errorf("the null of active minutes accuses %v of the legitimate clients, nominal %v", active, alpha)
	}
}
