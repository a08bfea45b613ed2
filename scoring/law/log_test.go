package law_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"sundew/scoring/law"
)

// bigLog is ln x to 100 bits: 2 artanh((x-1)/(x+1)) of x's square roots, which halve it until the series is short.
func bigLog(x float64) *big.Float {
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(v) }
	root := number(x)
	const halvings = 40
	for range halvings {
		root.Sqrt(root)
	}
	s := new(big.Float).Quo(new(big.Float).Sub(root, number(1)), new(big.Float).Add(root, number(1)))
	square := new(big.Float).Mul(s, s)
	sum, power := number(0), s
	for i := 1.0; i < 20; i += 2 {
		sum.Add(sum, new(big.Float).Quo(power, number(i)))
		power = new(big.Float).Mul(power, square)
	}
	return sum.Mul(sum, number(math.Ldexp(2, halvings)))
}

func TestLog(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := []float64{1, 2, .5, math.Sqrt2, math.Sqrt2 / 2, math.E, 1 + 0x1p-52, 1 - 0x1p-53, 5e-324, 0x1p-1022, math.MaxFloat64, 1e4, 1e36}
	for range 2000 {
		values = append(values, math.Exp(80*rng.NormFloat64()), 1+rng.NormFloat64()/100)
	}
	for _, x := range values {
		got := law.Log(x)
		want, _ := bigLog(x).Float64()
		ulp := math.Nextafter(math.Abs(want), math.Inf(1)) - math.Abs(want)
		if math.Abs(got-want) > 1.5*ulp {
			t.Errorf("ln %v = %v, want %v", x, got, want)
		}
	}
	if law.Log(0) != math.Inf(-1) || law.Log(math.Inf(1)) != math.Inf(1) || !math.IsNaN(law.Log(-1)) || !math.IsNaN(law.Log(math.NaN())) {
		t.Error("a limit is not math.Log's")
	}
}
