package baseline_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sundew"
	"sundew/cmd/sundew/quality/baseline"
)

// anomalyLines calls line with each line of a compressed file of the shared data, and skips the test where that is
// missing. SUNDEW_SHARED names the folder; the default is a sibling of the module.
func anomalyLines(t *testing.T, name string, line func(text string)) {
	t.Helper()
	shared := cmp.Or(os.Getenv("SUNDEW_SHARED"), filepath.Join("..", "..", "..", "..", "..", "shared"))
	file, err := os.Open(filepath.Join(shared, "data", "anomaly", name))
	if err != nil {
		t.Skipf("%s is missing: set SUNDEW_SHARED to the folder that has data/anomaly/%s", name, name)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	for lines.Scan() {
		line(lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// scored is one row's score and whether it is an anomaly.
type scored struct {
	score   float64
	anomaly bool
}

// auc is the area under the receiver operating characteristic, ties counting half. It sorts rows.
func auc(rows []scored) float64 {
	slices.SortFunc(rows, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	var normal, anomalies, area float64
	for i := 0; i < len(rows); {
		var n, a float64
		for j := i; i < len(rows) && rows[i].score == rows[j].score; i++ {
			if rows[i].anomaly {
				a++
			} else {
				n++
			}
		}
		area += a * (normal + n/2)
		normal += n
		anomalies += a
	}
	return area / (normal * anomalies)
}

func TestAUC(t *testing.T) {
	if got := auc([]scored{{3, true}, {1, false}, {2, true}, {2, false}}); got != .875 {
		t.Errorf("%g, want 0.875", got)
	}
}

// TestMIDASFOnDARPA comes near the published 0.98 to 0.99 (authors' code, 5 seeds: .984 to .986). How near is a matter of
// which edges share a counter of so small a sketch: seeds 1, 101, 201 and 301 give .976, .982, .985 and .980.
func TestMIDASFOnDARPA(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 4.5 million edges")
	}
	m := baseline.NewMIDASF(1)
	var rows []scored
	minute, tick := "", 0
	anomalyLines(t, "darpa.csv.gz", func(text string) {
		f := strings.Split(text, ",")
		if f[2] != minute {
			minute = f[2]
			tick++
		}
		rows = append(rows, scored{m.Edge(baseline.Hash(1, f[0]), baseline.Hash(2, f[1]), tick), f[3] != "-"})
	})
	got := auc(rows)
	t.Logf("AUC %.4f over %d edges", got, len(rows))
	if got < .97 || got > .99 {
		t.Errorf("AUC %.4f, published 0.984 to 0.986", got)
	}
}

// kdd is a set of numeric rows with labels, its columns scaled to 0 to 1.
type kdd struct {
	rows    [][]float64
	anomaly []bool
}

func readKDD(t *testing.T, name string) kdd {
	t.Helper()
	var set kdd
	header := true
	anomalyLines(t, name, func(text string) {
		if header {
			header = false
			return
		}
		f := strings.Split(text, ",")
		row := make([]float64, len(f)-1)
		for i := range row {
			row[i], _ = strconv.ParseFloat(f[i], 64)
		}
		set.rows = append(set.rows, row)
		set.anomaly = append(set.anomaly, f[len(f)-1] == "1")
	})
	return set
}

func (k kdd) shuffle() {
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(k.rows), func(i, j int) {
		k.rows[i], k.rows[j] = k.rows[j], k.rows[i]
		k.anomaly[i], k.anomaly[j] = k.anomaly[j], k.anomaly[i]
	})
}

func (k kdd) column(i int) []float64 {
	var values []float64
	for _, row := range k.rows {
		values = append(values, row[i])
	}
	slices.Sort(values)
	return values
}

// TestHalfSpaceTreesOnKDD repeats the figures measured elsewhere. Published ones, of .98 and more on http, are with the rows
// shuffled (.997, and .994 here). In order http has .394: its anomalies come packed, and a window that learns whatever comes
// learns the attack. That is what an ungated baseline does to a detector, and abuse is always packed. The 30 anomalies of
// smtp (.846 in order and .820 shuffled, .854 and .883 here) tell little.
func TestHalfSpaceTreesOnKDD(t *testing.T) {
	for _, test := range []struct {
		name      string
		shuffled  bool
		low, high float64
	}{
		{"kdd_http.csv.gz", false, .2, .6},
		{"kdd_http.csv.gz", true, .98, 1},
		{"kdd_smtp.csv.gz", false, .75, .95},
		{"kdd_smtp.csv.gz", true, .75, .95},
	} {
		t.Run(fmt.Sprintf("%s, shuffled %v", test.name, test.shuffled), func(t *testing.T) {
			set := readKDD(t, test.name)
			scale(set)
			if test.shuffled {
				set.shuffle()
			}
			forest := baseline.NewTrees(3, 1)
			rows := make([]scored, len(set.rows))
			for i, x := range set.rows {
				rows[i] = scored{forest.Vector(x), set.anomaly[i]}
			}
			got := auc(rows)
			t.Logf("AUC %.4f over %d rows", got, len(rows))
			if got < test.low || got > test.high {
				t.Errorf("AUC %.4f, want %g to %g", got, test.low, test.high)
			}
		})
	}
}

func scale(set kdd) {
	for i := range set.rows[0] {
		column := set.column(i)
		low, high := column[0], column[len(column)-1]
		for _, row := range set.rows {
			row[i] = (row[i] - low) / max(high-low, 1e-12)
		}
	}
}

// TestRobustZOnKDD shows how little such sets prove: the largest deviation from the median, in units of the median
// deviation, does better than the forest (http 0.9995, smtp 0.950).
func TestRobustZOnKDD(t *testing.T) {
	for _, test := range []struct {
		name      string
		low, high float64
	}{{"kdd_http.csv.gz", .99, 1}, {"kdd_smtp.csv.gz", .9, .98}} {
		t.Run(test.name, func(t *testing.T) {
			set := readKDD(t, test.name)
			rows := make([]scored, len(set.rows))
			for i := range set.rows[0] {
				column := set.column(i)
				middle := column[len(column)/2]
				for j, x := range column {
					column[j] = math.Abs(x - middle)
				}
				slices.Sort(column)
				spread := max(1.4826*column[len(column)/2], madFloor)
				for j, row := range set.rows {
					rows[j].score = max(rows[j].score, math.Abs(row[i]-middle)/spread)
					rows[j].anomaly = set.anomaly[j]
				}
			}
			got := auc(rows)
			t.Logf("AUC %.4f over %d rows", got, len(rows))
			if got < test.low || got > test.high {
				t.Errorf("AUC %.4f, want %g to %g", got, test.low, test.high)
			}
		})
	}
}

// madFloor stands in for the median deviation of a column that hardly varies.
const madFloor = 1e-9

// TestDetectorsTellABurstFromAQuietHour lets a client send 60 requests a minute after an hour of two.
func TestDetectorsTellABurstFromAQuietHour(t *testing.T) {
	for _, d := range baseline.All(1) {
		t.Run(d.Name(), func(t *testing.T) {
			e := sundew.NewEvent()
			e.Client, e.Method, e.Route, e.Status = netip.MustParseAddr("198.18.0.1"), "GET", "/v1/feed", 200
			e.Time = time.Unix(1_800_000_000, 0)
			quiet, burst := 0.0, 0.0
			for range 600 {
				e.Time = e.Time.Add(30 * time.Second)
				quiet = max(quiet, d.Score(&e))
			}
			for range 120 {
				e.Time = e.Time.Add(time.Second)
				burst = max(burst, d.Score(&e))
			}
			if !(burst > quiet) {
				t.Errorf("the burst reaches %g, the quiet hours %g", burst, quiet)
			}
		})
	}
}
