package law_test

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"sundew/scoring/law"
)

// The tables of this file are the figures that the design rests on: what happens to legitimate clients and to attackers
// under the usual ways of turning counts into alarms, and under the ledger. A plain run takes few clients and checks what
// few can show. With SUNDEW_LONG set the tables have the size of the published ones, beside which they are printed (-v).

func long() bool { return os.Getenv("SUNDEW_LONG") != "" }

// table prints rows under a title.
type table struct {
	strings.Builder
}

func (w *table) row(cells ...any) {
	for i, cell := range cells {
		text := fmt.Sprint(cell)
		if x, ok := cell.(float64); ok {
			if text = fmt.Sprintf("%.2g", x); math.IsNaN(x) {
				text = "-"
			}
		}
		width := 14
		if i == 0 {
			width = 48
		}
		fmt.Fprintf(w, "%-*s", width, text)
	}
	w.WriteString("\n")
}

// population is clients whose days are known, and what a detector may learn from those of another one.
type population struct {
	judged, calibration []client
	spread              law.NegativeBinomial // of the days' totals among clients
	within              law.NegativeBinomial // of the minutes of clients
}

func newPopulation(t *testing.T, r traffic, n int) *population {
	t.Helper()
	p := &population{judged: r.clients(n), calibration: r.clients(n)}
	var totals, minutes []int
	for i, c := range p.calibration {
		totals = append(totals, sum(c.history))
		if i < 100 {
			minutes = append(minutes, c.history...)
		}
	}
	var err error
	if p.spread, err = law.FitNegativeBinomial(totals); err != nil {
		t.Fatal(err)
	}
	if p.within, err = law.FitNegativeBinomial(minutes); err != nil {
		t.Fatal(err)
	}
	return p
}

func sum(counts []int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

func season(minute int) float64 { return 1 + .6*math.Sin(2*math.Pi*float64(minute)/minutesOfDay) }

// shrunk is the client's mean requests a minute: what its history has, and the population's belief before it.
func (p *population) shrunk(c client) (mean, shape, rate float64) {
	shape = p.spread.Shape + float64(sum(c.history))
	rate = (p.spread.Shape/p.spread.Mean + 1) * minutesOfDay
	return shape / rate, shape, rate
}

// surprise is the smallest ln p of the client's minutes under the law that of gives for a minute.
func surprise(day []int, of func(minute, count int) float64) float64 {
	least := 0.0
	for minute, count := range day {
		if count > 0 {
			least = min(least, of(minute, count))
		}
	}
	return least
}

func (p *population) largestZ(c client) float64 {
	var mean, variance float64
	for _, count := range c.history {
		mean += float64(count) / minutesOfDay
	}
	for _, count := range c.history {
		variance += (float64(count) - mean) * (float64(count) - mean) / minutesOfDay
	}
	most := slices.Max(c.today)
	return (float64(most) - mean) / math.Sqrt(max(variance, 1e-6))
}

func (p *population) byPoisson(c client) float64 {
	mean := (float64(sum(c.history)) + .5) / minutesOfDay
	return surprise(c.today, func(minute, count int) float64 { return law.PoissonLogTail(mean*season(minute), count) })
}

func (p *population) byPredictive(c client) float64 {
	mean, shape, _ := p.shrunk(c)
	return surprise(c.today, func(minute, count int) float64 {
		return law.NegativeBinomial{Shape: shape, Mean: mean * season(minute)}.LogTail(count)
	})
}

func (p *population) byDispersion(c client) float64 {
	mean, _, _ := p.shrunk(c)
	return surprise(c.today, func(minute, count int) float64 {
		return law.NegativeBinomial{Shape: p.within.Shape, Mean: mean * season(minute)}.LogTail(count)
	})
}

// share is the part of the clients that the detector accuses.
func share(clients []client, accuses func(c client) bool) float64 {
	n := 0
	for _, c := range clients {
		if accuses(c) {
			n++
		}
	}
	return float64(n) / float64(len(clients))
}

// pooled is a sorted sample of what legitimate client-days reach, higher being more suspicious.
type pooled []float64

func poolOf(clients []client, statistic func(c client) float64) pooled {
	pool := make(pooled, len(clients))
	for i, c := range clients {
		pool[i] = statistic(c)
	}
	slices.Sort(pool)
	return pool
}

// threshold is the least value whose conformal p-value is at most alpha.
func (p pooled) threshold(alpha float64) float64 {
	allowed := int(alpha*float64(len(p)+1)) - 1 // members that may reach it
	if allowed < 0 {
		return math.Inf(1)
	}
	return math.Nextafter(p[len(p)-1-allowed], math.Inf(1))
}

// beyond is the value that the tail, fitted to the highest twentieth, exceeds with probability alpha.
func (p pooled) beyond(t *testing.T, alpha float64) float64 {
	t.Helper()
	from := len(p) * 95 / 100
	var exceedances []float64
	for _, x := range p[from:] {
		exceedances = append(exceedances, x-p[from])
	}
	tail, err := law.FitGPD(exceedances)
	if err != nil {
		t.Fatal(err)
	}
	const inTail = .05
	steps := sort.Search(1e6, func(i int) bool { return tail.LogSurvival(float64(i)/1e3) < math.Log(alpha/inTail) })
	return p[from] + float64(steps)/1e3
}

// calibrators turn ln p into ln e.
var calibrators = map[string]func(logP float64) float64{
	"mixture": law.MixtureLogE,
	".5":      func(logP float64) float64 { return law.PowerLogE(logP, .5) },
	".25":     func(logP float64) float64 { return law.PowerLogE(logP, .25) },
}

// ledger is the course of ln M of one client-day, by the windows that the null is about.
func (n *null) ledger(c client, logE func(float64) float64, each func(window int, logM float64)) {
	const starts = 300
	m := 0.0
	for i, tail := range n.logTails(c) {
		rank := sort.Search(len(n.pool), func(j int) bool { return n.pool[j] > tail })
		if i < starts {
			m += 1. / starts
		}
		m = min(m*math.Exp(logE(math.Log(float64(1+rank)/float64(len(n.pool)+1)))), 1e300)
		each(i, math.Log(m))
	}
}

// highest is the most that the client-day's ledger has.
func (n *null) highest(c client, logE func(float64) float64) float64 {
	most := math.Inf(-1)
	n.ledger(c, logE, func(_ int, logM float64) { most = max(most, logM) })
	return most
}

// TestFalsePositiveTable is the share of legitimate client-days that each detector accuses.
func TestFalsePositiveTable(t *testing.T) {
	n, every, two := 400, []string{"mixture"}, []string{"mixture"}
	if long() {
		n, every, two = 12_000, []string{".25", "mixture", ".5"}, []string{".25", "mixture"}
	}
	p := newPopulation(t, traffic{rand.New(rand.NewSource(11))}, n)
	var w table
	w.row("false positives per legitimate client-day", "nominal", "actual", "reference")
	record := func(name string, nominal, reference, low, high float64, accuses func(c client) bool) {
		actual := share(p.judged, accuses)
		w.row(name, nominal, actual, reference)
		if actual < low || actual > high {
			t.Errorf("%s: %v of the legitimate clients accused, want %v to %v", name, actual, low, high)
		}
	}
	// What n clients leave open, at three standard deviations, when the promise holds.
	around := func(alpha float64) float64 { return alpha + 3*math.Sqrt(2*alpha/float64(n)) + 1/float64(n) }

	record("z > 6 on any minute", 0, .898, .5, 1, func(c client) bool { return p.largestZ(c) > 6 })
	perMinute := math.Log(1e-3 / minutesOfDay)
	record("Poisson of the own rate, Bonferroni", 1e-3, .897, .5, 1, func(c client) bool { return p.byPoisson(c) < perMinute })
	record("Gamma-Poisson predictive, Bonferroni", 1e-3, .898, .5, 1, func(c client) bool { return p.byPredictive(c) < perMinute })
	record("with dispersion within the client", 1e-3, .134, .01, .5, func(c client) bool { return p.byDispersion(c) < perMinute })

	surprising := func(c client) float64 { return -p.byDispersion(c) }
	pool := poolOf(p.calibration, surprising)
	for _, alpha := range []float64{1e-2, 1e-3} {
		threshold := pool.threshold(alpha)
		record("  the same, conformal on the daily maximum", alpha, map[float64]float64{1e-2: .0098, 1e-3: .00117}[alpha], 0, around(alpha),
			func(c client) bool { return surprising(c) >= threshold })
	}
	for _, alpha := range []float64{1e-3, 1e-4} {
		threshold := pool.beyond(t, alpha)
		record("  the same, generalised Pareto tail", alpha, map[float64]float64{1e-3: .00125, 1e-4: .00008}[alpha], 0, 2*around(alpha),
			func(c client) bool { return surprising(c) >= threshold })
	}

	// These know nothing of the hour, so that the marginal ones do even worse than in the reference, whose windows do. The
	// pool of windows needs no more clients than these.
	windows := p.calibration[:min(n, 1000)/2]
	marginal, hurdle := fitNull(t, false, windows), fitNull(t, true, windows)
	reference := map[string][2]float64{".25": {.249, .196}, "mixture": {.191, .141}, ".5": {.326, .244}}
	for _, name := range every {
		logE := calibrators[name]
		for i, alpha := range []float64{1e-2, 1e-3} {
			record("products of marginal p, calibrator "+name, alpha, reference[name][i], 50e-3, .6,
				func(c client) bool { return marginal.highest(c, logE) >= -math.Log(alpha) })
		}
	}
	ville := map[string]float64{".25": .0013, "mixture": .0004}
	conformal := map[string][2]float64{".25": {.0094, .00033}, "mixture": {.0097, .00042}}
	for _, name := range two {
		logE := calibrators[name]
		record("hurdle ledger, Ville, calibrator "+name, 1e-3, ville[name], 0, 2*around(1e-3),
			func(c client) bool { return hurdle.highest(c, logE) >= -math.Log(1e-3) })
		pool := poolOf(p.calibration, func(c client) float64 { return hurdle.highest(c, logE) })
		for i, alpha := range []float64{1e-2, 1e-3} {
			threshold := pool.threshold(alpha)
			record("  the same, conformal on its daily maximum", alpha, conformal[name][i], 0, around(alpha),
				func(c client) bool { return hurdle.highest(c, logE) >= threshold })
		}
	}
	t.Logf("%d clients\n%s", n, &w)
}

// assault is an attack on top of a client's day: so many requests more in each of its minutes.
type assault struct {
	from, minutes int
	added         []int
}

func (r traffic) assault(perMinute float64) assault {
	a := assault{from: 480 + r.Intn(480), minutes: 60}
	for range a.minutes {
		a.added = append(a.added, drawPoisson(r.Rand, perMinute))
	}
	return a
}

// onto returns the client under attack, and for each active minute of its day which minute that is.
func (a assault) onto(c client) (client, []int) {
	today := slices.Clone(c.today)
	for i, more := range a.added {
		today[a.from+i] += more
	}
	var active []int
	for minute, count := range today {
		if count > 0 {
			active = append(active, minute)
		}
	}
	return client{c.history, today}, active
}

// TestPowerTable is which attacks are found at one false positive in a thousand client-days, and how soon.
func TestPowerTable(t *testing.T) {
	n, attacked := 1000, 50
	if long() {
		n, attacked = 12_000, 2000
	}
	r := traffic{rand.New(rand.NewSource(12))}
	p := newPopulation(t, r, n)
	hurdle := fitNull(t, true, p.calibration[:500])
	surprising := func(c client) float64 { return -p.byDispersion(c) }
	const alpha = 1e-3
	maximum := poolOf(p.calibration, surprising).threshold(alpha)
	var w table
	w.row("power at 1e-3 per client-day", "daily maximum", "ledger .25", "mixture", "minutes", "let through", "reference")
	for _, row := range []struct {
		perMinute float64
		low, high float64 // of the mixture ledger
		reference string
	}{
		{30, .95, 1, ".129  1.000  1.000  4 min  120"},
		{10, .2, .95, ".001  .625  .587  41 min  410"},
		{5, 0, .1, "<= .001  <= .002"},
		{2, 0, .02, "<= .001  <= .002"},
		{1, 0, .02, "<= .001  <= .002"},
	} {
		found := map[string]int{}
		var delays, through []float64
		for range attacked {
			a := r.assault(row.perMinute)
			c, active := a.onto(p.judged[r.Intn(n)])
			if surprising(c) >= maximum {
				found["maximum"]++
			}
			for _, name := range []string{".25", "mixture"} {
				delay, passed := a.caught(hurdle, c, active, calibrators[name], thresholdOf(hurdle, p, name, alpha))
				if delay < 0 {
					continue
				}
				found[name]++
				if name == "mixture" {
					delays, through = append(delays, float64(delay)), append(through, float64(passed))
				}
			}
		}
		part := func(name string) float64 { return float64(found[name]) / float64(attacked) }
		w.row(fmt.Sprintf("%+v requests a minute for an hour", row.perMinute), part("maximum"), part(".25"), part("mixture"),
			middle(delays), middle(through), row.reference)
		if part("mixture") < row.low || part("mixture") > row.high {
			t.Errorf("%v requests a minute: the ledger finds %v, want %v to %v", row.perMinute, part("mixture"), row.low, row.high)
		}
		if row.perMinute >= 10 && part("mixture") < part("maximum") {
			t.Errorf("%v requests a minute: one minute's surprise finds %v and the ledger %v", row.perMinute, part("maximum"), part("mixture"))
		}
	}
	t.Logf("%d clients, %d attacks each\n%s", n, attacked, &w)
}

var thresholds = map[string]float64{}

// thresholdOf is the conformal threshold of the ledger with a calibrator.
func thresholdOf(hurdle *null, p *population, name string, alpha float64) float64 {
	if _, known := thresholds[name]; !known {
		thresholds[name] = poolOf(p.calibration, func(c client) float64 { return hurdle.highest(c, calibrators[name]) }).threshold(alpha)
	}
	return thresholds[name]
}

// caught returns after how many minutes of the attack the ledger passed the threshold, and how many of its requests went
// by; -1 where it did not pass while the attack was on.
func (a assault) caught(n *null, c client, active []int, logE func(float64) float64, threshold float64) (delay, passed int) {
	delay = -1
	n.ledger(c, logE, func(window int, logM float64) {
		if minute := active[window] - a.from; delay < 0 && logM >= threshold && minute >= 0 && minute < a.minutes {
			delay = minute + 1
			passed = sum(a.added[:delay])
		}
	})
	return delay, passed
}

func middle(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// harmonic is the harmonic mean of p-values, in logarithms.
func harmonic(logPs []float64) float64 {
	most, sum := 0.0, 0.0
	for _, lp := range logPs {
		most = max(most, -lp)
	}
	for _, lp := range logPs {
		sum += math.Exp(-lp - most)
	}
	return math.Log(float64(len(logPs))/sum) - most
}

func bonferroni(logPs []float64) float64 { return slices.Min(logPs) + math.Log(float64(len(logPs))) }

// meanE is 1 over the mean of the e-values, a p-value by Markov's inequality.
func meanE(logPs []float64) float64 {
	sum := 0.0
	for _, lp := range logPs {
		sum += math.Exp(law.MixtureLogE(lp))
	}
	return -math.Log(sum / float64(len(logPs)))
}

func TestHarmonicMeanIsGolden(t *testing.T) {
	for _, e := range goldenEntries(t, "raw harmonic mean p") {
		e.checkWithin(t, math.Exp(harmonic(e.logPs(t))), 1e-13)
	}
}

// logTailT3 is ln P(T > t) for Student's law with 3 degrees of freedom.
func logTailT3(t float64) float64 {
	x := t / math.Sqrt(3)
	if x > 1e3 {
		return math.Log(2/(3*math.Pi)) - 3*math.Log(x)
	}
	return math.Log((math.Atan2(1, x) - x/(1+x*x)) / math.Pi)
}

// TestMergingTable is what rules that merge 12 p-values make of dependent ones. Behaviour channels are dependent.
func TestMergingTable(t *testing.T) {
	draws := 6_000
	if long() {
		draws = 2_000_000
	}
	const channels = 12
	levels := []float64{1e-2, 1e-3, 1e-4}
	rules := []struct {
		name       string
		merge      func([]float64) float64
		holds      bool // whatever the dependence
		references [4]string
	}{
		{"Fisher", fisher, false, [4]string{"1.0e-2 / 1.0e-3 / 1.1e-4", "1.3e-1 / 7.4e-2 / 4.5e-2", "1.6e-1 / 1.1e-1 / 8.0e-2", "1.2e-1 / 7.1e-2 / 4.6e-2"}},
		{"Stouffer", stouffer, false, [4]string{"1.0e-2 / 1.0e-3 / 1.1e-4", "1.8e-1 / 1.1e-1 / 7.3e-2", "2.4e-1 / 1.7e-1 / 1.3e-1", "1.6e-1 / 1.0e-1 / 6.7e-2"}},
		{"ACAT", law.ACAT, true, [4]string{"1.0e-2 / 1.0e-3 / 9.6e-5", "1.3e-2 / 1.1e-3 / 9.8e-5", "1.1e-2 / 1.1e-3 / 1.1e-4", "9.4e-3 / 9.2e-4 / 9.0e-5"}},
		{"harmonic mean", harmonic, true, [4]string{"1.1e-2 / 1.0e-3 / 9.6e-5", "1.3e-2 / 1.1e-3 / 9.8e-5", "1.1e-2 / 1.1e-3 / 1.1e-4", "1.0e-2 / 1.0e-3 / 1.0e-4"}},
		{"Bonferroni", bonferroni, true, [4]string{"9.9e-3 / 1.0e-3 / 9.6e-5", "8.3e-3 / 9.1e-4 / 8.8e-5", "3.3e-3 / 4.1e-4 / 4.9e-5", "4.0e-3 / 4.0e-4 / 4.2e-5"}},
		{"1 / mean e", meanE, true, [4]string{"7e-5 / 7e-6 / 5e-7", "8e-5 / 4e-6 / 0", "1e-4 / 7e-6 / 1e-6", "1e-4 / 7e-6 / 0"}},
	}
	var w table
	for at, dependence := range []struct {
		name string
		draw func(r *rand.Rand, logPs []float64)
	}{
		{"independent", func(r *rand.Rand, logPs []float64) { correlated(r, 0, logPs) }},
		{"correlation .5", func(r *rand.Rand, logPs []float64) { correlated(r, .5, logPs) }},
		{"correlation .9", func(r *rand.Rand, logPs []float64) { correlated(r, .9, logPs) }},
		{"t3, correlation .5 and one scale", sharedT3},
	} {
		w.row(dependence.name, "1e-2", "1e-3", "1e-4", "reference")
		r := rand.New(rand.NewSource(13))
		counts := make([][3]int, len(rules))
		logPs := make([]float64, channels)
		for range draws {
			dependence.draw(r, logPs)
			for i := range rules {
				merged := rules[i].merge(logPs)
				for j, level := range levels {
					if merged <= math.Log(level) {
						counts[i][j]++
					}
				}
			}
		}
		for i, rule := range rules {
			var actual [3]float64
			for j := range levels {
				actual[j] = float64(counts[i][j]) / float64(draws)
			}
			w.row("  "+rule.name, actual[0], actual[1], actual[2], rule.references[at])
			independent := at == 0
			if (rule.holds || independent) && (actual[0] > 1.5e-2 || actual[1] > 1e-3+3*math.Sqrt(1e-3/float64(draws))+5e-4) {
				t.Errorf("%s, %s: %v at a nominal 0.01, 0.001, 0.0001", dependence.name, rule.name, actual)
			}
			if !rule.holds && !independent && actual[1] < 20e-3 {
				t.Errorf("%s, %s: %v at a nominal 0.001 is better than known", dependence.name, rule.name, actual[1])
			}
		}
	}
	t.Logf("%d draws of %d p-values\n%s", draws, channels, &w)
}

func correlated(r *rand.Rand, rho float64, logPs []float64) {
	shared := math.Sqrt(rho) * r.NormFloat64()
	for i := range logPs {
		logPs[i] = law.NormalLogTail(shared + math.Sqrt(1-rho)*r.NormFloat64())
	}
}

// sharedT3 draws normal numbers that are divided by one and the same chi.
func sharedT3(r *rand.Rand, logPs []float64) {
	square := 0.0
	for range 3 {
		z := r.NormFloat64()
		square += z * z / 3
	}
	shared := math.Sqrt(.5) * r.NormFloat64()
	for i := range logPs {
		logPs[i] = logTailT3((shared + math.Sqrt(.5)*r.NormFloat64()) / math.Sqrt(square))
	}
}
