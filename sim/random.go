package sim

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// never is a time that no traffic reaches.
const never = time.Duration(math.MaxInt64)

// purpose keeps apart the values that are derived from one seed and one number.
type purpose uint64

const (
	forBehaviour purpose = iota + 1
	forLayout
	forDevice
	forAccount
	forUsername
	forOrders
	forRequestID
	forSeal
	forCheck
	forAddress
	forIncident
	forStaleStore
)

// derive returns a value that looks random and depends on nothing but its arguments. The mixing step is the finaliser
// of SplitMix64 (Steele, Lea, Flood 2014).
func derive(seed uint64, p purpose, number uint64) uint64 {
	return mix(mix(seed^mix(uint64(p))) ^ number)
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// newRand returns the generator of one client, so that no client's requests depend on another's.
func newRand(seed uint64, p purpose, number uint64) *rand.Rand {
	at := derive(seed, p, number)
	return rand.New(rand.NewPCG(at, mix(at)))
}

func chance(rng *rand.Rand, p float64) bool { return rng.Float64() < p }

// between returns a time from low to high, all equally likely.
func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(rng.Int64N(int64(high-low)+1))
}

// exponential returns a waiting time with the given rate per second, at most never.
func exponential(rng *rand.Rand, perSecond float64) time.Duration {
	return seconds(rng.ExpFloat64() / perSecond)
}

func seconds(s float64) time.Duration {
	if s >= never.Seconds() {
		return never
	}
	return time.Duration(s * float64(time.Second))
}

// gamma returns a draw with the given shape and mean.
func gamma(rng *rand.Rand, shape, mean float64) float64 {
	return distuv.Gamma{Alpha: shape, Beta: shape / mean, Src: rng}.Rand()
}

// negativeBinomial returns a draw with the given size and mean: a Poisson count whose rate is Gamma(size, mean).
func negativeBinomial(rng *rand.Rand, size, mean float64) int {
	return poisson(rng, gamma(rng, size, mean))
}

func poisson(rng *rand.Rand, mean float64) int {
	if mean <= 0 {
		return 0
	}
	return int(distuv.Poisson{Lambda: mean, Src: rng}.Rand())
}

// spread returns a positive value around the median, within a factor of two of it for three draws in four.
func spread(rng *rand.Rand, median float64) float64 { return median * math.Exp(0.6*rng.NormFloat64()) }

func hex16(x uint64) string {
	var raw [8]byte
	var text [16]byte
	binary.BigEndian.PutUint64(raw[:], x)
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

// guid returns a version 4 UUID (RFC 9562) made of the two words.
func guid(high, low uint64) string {
	var raw [16]byte
	var text [36]byte
	binary.BigEndian.PutUint64(raw[:8], high)
	binary.BigEndian.PutUint64(raw[8:], low)
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	hex.Encode(text[:8], raw[:4])
	hex.Encode(text[9:13], raw[4:6])
	hex.Encode(text[14:18], raw[6:8])
	hex.Encode(text[19:23], raw[8:10])
	hex.Encode(text[24:], raw[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
