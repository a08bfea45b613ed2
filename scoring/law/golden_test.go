package law_test

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"

	"sundew/scoring/law"
)

// arguments is the union of what the golden quantities take.
type arguments struct {
	A, B, W, Mean, Kappa, Xi, Sigma, Y, Z, X, Shape, Rate float64
	K, N                                                  int
	P                                                     json.RawMessage
}

// tolerance is what float64 leaves of the golden digits: the reference's stable forms are good to about 1e-14.
const tolerance = 2e-14

var logTails = map[string]func(a arguments) float64{
	"log P(X >= k), X ~ Poisson(mean)": func(a arguments) float64 { return law.PoissonLogTail(a.Mean, a.K) },
	"log P(X >= k), X ~ negative binomial": func(a arguments) float64 {
		return law.NegativeBinomial{Shape: a.A, Mean: a.A * a.W / a.B}.LogTail(a.K)
	},
	"log P(X >= k), X ~ beta-binomial": func(a arguments) float64 { return law.Beta{A: a.A, B: a.B}.LogTail(a.N, a.K) },
	"log P(X >= k), X ~ binomial":      func(a arguments) float64 { return law.BinomialLogTail(a.N, number(a.P), a.K) },
	"log P(X > x), X ~ Gamma":          func(a arguments) float64 { return law.GammaLogTail(a.Shape, a.Rate, a.X) },
	"log P(Z > z)":                     func(a arguments) float64 { return law.NormalLogTail(a.Z) },
	"log P(Y > y)":                     func(a arguments) float64 { return law.GPD{Xi: a.Xi, Sigma: a.Sigma}.LogSurvival(a.Y) },
}

func TestLogTailsAreGolden(t *testing.T) {
	for prefix, tail := range logTails {
		for _, e := range goldenEntries(t, prefix) {
			e.check(t, tail(e.arguments(t)))
		}
	}
}

// TestGonumUnderflows shows why the package has tails of its own.
func TestGonumUnderflows(t *testing.T) {
	for name, c := range map[string]struct{ gonum, ours, want float64 }{
		"Poisson(10) >= 100":   {math.Log(distuv.Poisson{Lambda: 10}.Survival(99)), law.PoissonLogTail(10, 100), -143.3767231006188741},
		"Poisson(100) >= 1000": {math.Log(mathext.GammaIncReg(1000, 100)), law.PoissonLogTail(100, 1000), -1406.8527552662533},
		"negative binomial(2, 4, 1) >= 1000": {
			math.Log(mathext.RegIncBeta(1000, 2, .2)), law.NegativeBinomial{Shape: 2, Mean: .5}.LogTail(1000), -1602.7520514870320,
		},
		"negative binomial(.05, 1, .01) >= 200": {
			math.Log(mathext.RegIncBeta(200, .05, .01/1.01)), law.NegativeBinomial{Shape: .05, Mean: .0005}.LogTail(200), -931.01709735248891,
		},
		"normal > 40": {math.Log(distuv.UnitNormal.Survival(40)), law.NormalLogTail(40), -804.60844201375379},
	} {
		if !math.IsInf(c.gonum, -1) {
			t.Errorf("%s: gonum has learned it, %v", name, c.gonum)
		}
		if !(math.Abs(c.ours/c.want-1) < tolerance) {
			t.Errorf("%s: %v, want %v", name, c.ours, c.want)
		}
	}
}

// TestTailsAreOneMinusTheirComplement checks the branches for common outcomes against plain sums.
func TestTailsAreOneMinusTheirComplement(t *testing.T) {
	nb, beta := law.NegativeBinomial{Shape: 1.5, Mean: 20}, law.Beta{A: .5, B: .7}
	for name, tail := range map[string]func(k int) float64{
		"Poisson":           func(k int) float64 { return law.PoissonLogTail(20, k) },
		"negative binomial": nb.LogTail,
		"binomial":          func(k int) float64 { return law.BinomialLogTail(50, .4, k) },
		"beta-binomial":     func(k int) float64 { return beta.LogTail(50, k) },
	} {
		sum, mean := 0.0, 0.0
		for k := range 2_000 {
			mass := math.Exp(tail(k)) - math.Exp(tail(k+1))
			if mass < -1e-15 {
				t.Errorf("%s: mass %v at %d", name, mass, k)
			}
			sum += mass
			mean += float64(k) * mass
		}
		want := 20.0
		if name == "beta-binomial" {
			want = 50 * .5 / 1.2
		}
		if math.Abs(sum-1) > 1e-12 || math.Abs(mean-want) > 1e-9 {
			t.Errorf("%s: masses sum to %v with mean %v, want 1 and %v", name, sum, mean, want)
		}
	}
}

type golden struct {
	Quantity  string
	Arguments json.RawMessage
	Value     json.RawMessage
	Digits    int `json:"significant_digits"`
}

// goldenEntries are those whose quantity starts with the prefix. It fails the test when there are none.
func goldenEntries(t *testing.T, prefix string) []golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Entries []golden }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var found []golden
	for _, e := range file.Entries {
		if strings.HasPrefix(e.Quantity, prefix) {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no golden value of %q", prefix)
	}
	return found
}

func (e golden) arguments(t *testing.T) arguments {
	t.Helper()
	var a arguments
	e.into(t, e.Arguments, &a)
	return a
}

func (e golden) into(t *testing.T, from json.RawMessage, to any) {
	t.Helper()
	if err := json.Unmarshal(from, to); err != nil {
		t.Fatalf("%s: %v", e.Quantity, err)
	}
}

func (e golden) value(t *testing.T) float64 {
	t.Helper()
	var text string
	e.into(t, e.Value, &text)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func (e golden) check(t *testing.T, got float64) {
	t.Helper()
	e.checkWithin(t, got, tolerance)
}

// checkWithin allows the relative error of the golden digits or of the arithmetic, the larger.
func (e golden) checkWithin(t *testing.T, got, arithmetic float64) {
	t.Helper()
	want := e.value(t)
	allowed := max(math.Pow10(1-e.Digits), arithmetic) * math.Abs(want)
	if !(math.Abs(got-want) <= allowed) {
		t.Errorf("%s of %s: %.17g, want %.17g, off by %.1e", e.Quantity, e.Arguments, got, want, got/want-1)
	}
}

func number(raw json.RawMessage) float64 {
	x, _ := strconv.ParseFloat(string(raw), 64)
	return x
}
