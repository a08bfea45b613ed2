package baseline

import (
	"math"
	"math/rand/v2"

	"sundew"
)

// Trees is a forest of half-space trees: each halves the space of features at random, and counts how many of the last
// window fell into each half. Source: Tan, Ting, Liu: Fast anomaly detection for streaming data, IJCAI 2011.
type Trees struct {
	trees []tree
	seen  int
}

// The paper's forest.
const (
	treeCount  = 25
	treeDepth  = 8
	treeWindow = 250
	// massLimit is the reference mass below which a node is not divided further.
	massLimit = treeWindow / 10
	treeNodes = 1<<(treeDepth+1) - 1
)

type tree struct {
	feature      [treeNodes]int
	split        [treeNodes]float64
	before, mass [treeNodes]float64 // of the window before, which scores; of the running one
}

// NewTrees returns a forest over vectors of the length, with values from 0 to 1.
func NewTrees(features int, seed uint64) *Trees {
	rng := rand.New(rand.NewPCG(seed, 0x7265_6573))
	f := &Trees{trees: make([]tree, treeCount)}
	for i := range f.trees {
		low, high := workRange(rng, features)
		f.trees[i].grow(rng, 0, 0, low, high)
	}
	return f
}

// workRange draws the space of one tree: around a random point, wide enough for 0 to 1.
func workRange(rng *rand.Rand, features int) (low, high []float64) {
	for range features {
		s := rng.Float64()
		reach := 2 * max(s, 1-s)
		low = append(low, s-reach)
		high = append(high, s+reach)
	}
	return low, high
}

// grow halves the node's space in the middle of a random feature, down to the depth.
func (t *tree) grow(rng *rand.Rand, node, depth int, low, high []float64) {
	if depth == treeDepth {
		return
	}
	q := rng.IntN(len(low))
	middle := (low[q] + high[q]) / 2
	t.feature[node], t.split[node] = q, middle
	top, bottom := high[q], low[q]
	high[q] = middle
	t.grow(rng, 2*node+1, depth+1, low, high)
	high[q], low[q] = top, middle
	t.grow(rng, 2*node+2, depth+1, low, high)
	low[q] = bottom
}

// Vector scores a vector and counts it: 0 where the last window was dense, up to 1 where it was empty. The
// first window, which there is nothing to compare with, gets 0.
func (f *Trees) Vector(x []float64) float64 {
	sum := 0.0
	for i := range f.trees {
		sum += f.trees[i].visit(x)
	}
	first := f.seen < treeWindow
	f.seen++
	if f.seen%treeWindow == 0 {
		for i := range f.trees {
			f.trees[i].before, f.trees[i].mass = f.trees[i].mass, [treeNodes]float64{}
		}
	}
	if first {
		return 0
	}
	const most = treeCount * treeWindow * (1 << treeDepth)
	return 1 - sum/most
}

// visit counts the vector on its way down and returns its mass: that of the first node that is small or a leaf, times
// two to the power of its depth.
func (t *tree) visit(x []float64) float64 {
	score, scored := 0.0, false
	node := 0
	for depth := 0; ; depth++ {
		t.mass[node]++
		if !scored && (depth == treeDepth || t.before[node] <= massLimit) {
			score, scored = t.before[node]*float64(int(1)<<depth), true
		}
		if depth == treeDepth {
			return score
		}
		next := 2*node + 1
		if x[t.feature[node]] >= t.split[node] {
			next++
		}
		node = next
	}
}

// TreesOfRequests scores requests by their features.
type TreesOfRequests struct {
	forest *Trees
	rate   *Rate
	x      []float64
}

// requestFeatures is how many numbers vector makes of a request.
const requestFeatures = 7

// NewTreesOfRequests returns a forest without a past.
func NewTreesOfRequests(seed uint64) *TreesOfRequests {
	return &TreesOfRequests{NewTrees(requestFeatures, seed), NewRate(), make([]float64, requestFeatures)}
}

// Name returns the name for tables.
func (t *TreesOfRequests) Name() string { return "half-space trees of the request" }

// Score scores the request by its vector.
func (t *TreesOfRequests) Score(e *sundew.Event) float64 {
	t.x[0] = squash(t.rate.Score(e), 1000)
	t.x[1] = float64(min(e.Status, 599)) / 599
	t.x[2] = squash(float64(e.RequestBytes), 1e6)
	t.x[3] = squash(float64(e.ResponseBytes), 1e7)
	t.x[4] = squash(e.Duration.Seconds()*1e3, 1e5)
	t.x[5] = float64(Hash(3, e.Method+" "+e.Route)>>11) / (1 << 53)
	t.x[6] = float64(e.Auth) / float64(sundew.OutcomeFailure)
	return t.forest.Vector(t.x)
}

// squash takes 0 to most to 0 to 1 on a logarithmic scale; what is outside is at the end.
func squash(v, most float64) float64 {
	return min(math.Log1p(max(v, 0))/math.Log1p(most), 1)
}
