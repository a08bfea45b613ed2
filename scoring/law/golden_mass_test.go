package law_test

import (
	"math"
	"slices"
	"testing"

	"sundew/scoring/law"
)

// logMass is ln P(X = k) for a law with the given tails.
func logMass(tail func(k int) float64, k int) float64 {
	return tail(k) + math.Log(-math.Expm1(tail(k+1)-tail(k)))
}

// lostByDifference is what is left of golden digits when a mass is the difference of two tails.
const lostByDifference = 1e-12

func negativeBinomialOf(a arguments) law.NegativeBinomial {
	return law.NegativeBinomial{Shape: a.A, Mean: a.A * a.W / a.B}
}

func TestMassesAreGolden(t *testing.T) {
	for _, e := range goldenEntries(t, "P(X = k), X ~ negative binomial") {
		a := e.arguments(t)
		e.checkWithin(t, math.Exp(logMass(negativeBinomialOf(a).LogTail, a.K)), lostByDifference)
	}
	for _, e := range goldenEntries(t, "log( P(X > k) + P(X = k)/2 ), X ~ negative binomial") {
		a := e.arguments(t)
		d := negativeBinomialOf(a)
		above, from := math.Exp(d.LogTail(a.K+1)), math.Exp(d.LogTail(a.K))
		e.checkWithin(t, math.Log((above+from)/2), lostByDifference)
	}
}

// TestBetsOnACoinAreGolden: the e-value of a mixture of coins against one coin is the ratio of the masses that the
// beta-binomial and the binomial law give to the same hits.
func TestBetsOnACoinAreGolden(t *testing.T) {
	for _, e := range goldenEntries(t, "log e-value, Bernoulli, Beta(a, b) mixture") {
		var a struct {
			K, N    int
			A, B, P float64
			P0      float64
		}
		e.into(t, e.Arguments, &a)
		mixture := law.Beta{A: a.A, B: a.B}
		bet := logMass(func(k int) float64 { return mixture.LogTail(a.N, k) }, a.K)
		null := logMass(func(k int) float64 { return law.BinomialLogTail(a.N, a.P0, k) }, a.K)
		e.checkWithin(t, bet-null, lostByDifference)
	}
}

// TestTailsFallAtTheirGoldenRate: the nats that one more trial brings are the divergence of what is seen from the null, and
// a tail far out falls by that much a trial, but for a logarithm of the number of trials (Chernoff, 1952).
func TestTailsFallAtTheirGoldenRate(t *testing.T) {
	const trials = 1_000_000
	const slack = 10 / float64(trials) // ln(trials)/2 and the like, per trial
	rate := func(e golden, logTail float64) {
		if want := e.value(t); !(math.Abs(-logTail/trials-want) < slack) {
			t.Errorf("%s of %s: %v nats a trial, want %v", e.Quantity, e.Arguments, -logTail/trials, want)
		}
	}
	for _, e := range goldenEntries(t, "Kullback-Leibler divergence Bernoulli") {
		var a struct{ P0, P1 float64 }
		e.into(t, e.Arguments, &a)
		rate(e, law.BinomialLogTail(trials, a.P0, int(math.Round(a.P1*trials))))
	}
	for _, e := range goldenEntries(t, "theta ln theta - (theta - 1)") {
		var a struct{ Theta float64 }
		e.into(t, e.Arguments, &a)
		rate(e, law.PoissonLogTail(trials, int(a.Theta*trials)))
	}
}

func TestLikelihoodsOfFitsAreGolden(t *testing.T) {
	e := goldenEntries(t, "generalised Pareto maximum likelihood: negative log-likelihood")[0]
	var exceedances struct{ Sample []float64 }
	e.into(t, e.Arguments, &exceedances)
	gpd, err := law.FitGPD(exceedances.Sample)
	if err != nil {
		t.Fatal(err)
	}
	loss := 0.0
	for _, y := range exceedances.Sample {
		loss += math.Log(gpd.Sigma) - (1+gpd.Xi)*gpd.LogSurvival(y)
	}
	e.check(t, loss)

	e = goldenEntries(t, "negative binomial maximum likelihood: negative log-likelihood")[0]
	var population struct{ Counts []int }
	e.into(t, e.Arguments, &population)
	nb, err := law.FitNegativeBinomial(population.Counts)
	if err != nil {
		t.Fatal(err)
	}
	loss = 0
	for _, k := range population.Counts {
		loss -= logMass(nb.LogTail, k)
	}
	e.check(t, loss)
}

func TestStartOfTheParetoFitIsGolden(t *testing.T) {
	e := goldenEntries(t, "generalised Pareto probability-weighted moments, a1 = sum (n-i)/(n-1) x_(i) / n: xi")[0]
	var exceedances struct{ Sample []float64 }
	e.into(t, e.Arguments, &exceedances)
	start := law.MomentsGPD(slices.Sorted(slices.Values(exceedances.Sample)))
	e.check(t, start.Xi)
	goldenEntries(t, "generalised Pareto probability-weighted moments, a1 = sum (n-i)/(n-1) x_(i) / n: sigma")[0].check(t, start.Sigma)
}

// TestACATStatisticIsGolden: the merged p is the angle whose cotangent is the statistic.
func TestACATStatisticIsGolden(t *testing.T) {
	for _, e := range goldenEntries(t, "ACAT statistic") {
		logPs := e.logPs(t)
		merged := math.Exp(law.ACAT(logPs))
		// Near p = 1 the cotangent is as much larger as p is closer to 1.
		lost := (tolerance + lostByLog(logPs)) / min(1, math.Abs(1-merged))
		e.checkWithin(t, 1/math.Tan(math.Pi*merged), lost)
	}
}

// notOurs are the golden quantities that nothing of ours computes, and why.
var notOurs = map[string]string{
	"generalised Pareto moment estimate":                   "the fit starts from probability-weighted moments, which exist for every shape below 1",
	"negative binomial moment estimate of the shape":       "the fit bounds its start differently, and does not stop there",
	"Kolmogorov-Smirnov statistic against Exponential(1)":  "nothing decides by this test",
	"Kolmogorov-Smirnov exact p against Exponential(1)":    "nothing decides by this test",
	"Poisson CUSUM S_t = max(0, S_{t-1} + x ln(lam1/lam0)": "the ledger's mixture over start times has its place, with a bound on false alarms that a CUSUM lacks",
}

// TestGoldenValuesThatAreNotOurs keeps the list of exceptions from growing stale.
func TestGoldenValuesThatAreNotOurs(t *testing.T) {
	for prefix := range notOurs {
		goldenEntries(t, prefix)
	}
}
