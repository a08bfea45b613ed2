package scoring

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sundew"
)

// carts is a day of devices, each of which puts a few things into a cart among other requests: device d more of them the
// larger d is.
func carts(on, devices int, name string, more int) (events []sundew.Event) {
	for d := range devices {
		put := 1 + d%7*d%3 + more
		for i := range volumeFrom + 2 + put {
			at := time.Duration(on)*day + time.Duration(d)*time.Second + time.Duration(i)*2*time.Second
			events = append(events, request(at, client, func(e *sundew.Event) {
				e.Device, e.DeviceAge = fmt.Sprint(name, d), 40*day
				e.Path, e.Route = "/v1/feed", "/v1/feed"
				if i > volumeFrom {
					e.Method, e.Path, e.Route = "POST", "/v1/cart", "/v1/cart"
				}
			}))
		}
	}
	slices.SortStableFunc(events, func(a, b sundew.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// knowing is an engine that has seen two days of devices and their carts.
func knowing(t *testing.T) *Engine {
	e := newEngine(t, 2)
	for on := range 2 {
		e.Score(sundew.Batch{Events: carts(on, 400, "d-", 0)})
	}
	return e
}

func volumeOfDevice(t *testing.T, e *Engine, name string) (nats float64) {
	t.Helper()
	hash := e.hash.key(sundew.KindDevice, name)
	c := &e.cells[cellOf(sundew.KindDevice, hash)]
	h := c.table.find(hash)
	if h == nil {
		t.Fatalf("%s is not known", name)
	}
	return c.table.open(h).ledger(chVolume).nats()
}

func TestVolumeChannel(t *testing.T) {
	e := knowing(t)
	e.Score(sundew.Batch{Events: carts(2, 400, "d-", 0)})
	if got := volumeOfDevice(t, e, "d-5"); got > 2 {
		t.Errorf("who does as usual has %.1f nats", got)
	}
	e = knowing(t)
	e.Score(sundew.Batch{Events: slices.Concat(carts(2, 100, "d-", 0), carts(2, 1, "hoarder-", 90))})
	if got := volumeOfDevice(t, e, "hoarder-0"); got < 7 {
		t.Errorf("who fills a cart has %.1f nats", got)
	}
	for _, of := range e.Learned().Kinds {
		if of.Kind == sundew.KindDevice && (of.Routes != 2 || of.Muted != 0) {
			t.Errorf("%+v: want two routes known", of)
		}
	}
	e = newEngine(t, 1)
	e.Score(sundew.Batch{Events: carts(0, 1, "hoarder-", 90)})
	if got := volumeOfDevice(t, e, "hoarder-0"); !math.IsInf(got, -1) {
		t.Errorf("before anything is known, who fills a cart has %.1f nats", got)
	}
}

// TestVolumeKnowsTheOwnPast has a device that fills carts from its first day on, before anything was known.
func TestVolumeKnowsTheOwnPast(t *testing.T) {
	e := newEngine(t, 1)
	for on := range 3 {
		e.Score(sundew.Batch{Events: slices.Concat(carts(on, 400, "d-", 0), carts(on, 1, "shop-", 90))})
	}
	if got := volumeOfDevice(t, e, "shop-0"); got > 1 {
		t.Errorf("who has always filled carts has %.1f nats", got)
	}
}

// TestAReleaseThatRepeatsItselfIsNotHeard has a third of all devices send each request ten times on the third day.
func TestAReleaseThatRepeatsItselfIsNotHeard(t *testing.T) {
	e := knowing(t)
	e.Score(sundew.Batch{Events: carts(2, 130, "d-", 60)})
	_, class := e.hash.routeOf(&sundew.Event{Method: "POST", Route: "/v1/cart"})
	if !e.population.volumes.muted(volumeOfDevices, class) {
		t.Error("the release was never loud, so this test shows nothing")
	}
	again := carts(2, 130, "d-", 0)
	for i := range again {
		again[i].Time = again[i].Time.Add(time.Hour)
	}
	e.Score(sundew.Batch{Events: again})
	heard := 0
	for d := range 130 {
		if volumeOfDevice(t, e, fmt.Sprint("d-", d)) > 1 {
			heard++
		}
	}
	if heard > 0 {
		t.Errorf("%d of 130 devices with a release that repeats itself are still held to it an hour later", heard)
	}
}

// TestVolumesKeepTheirPromise draws client-days from the law that volumes have in traffic, a gamma mixture of Poisson
// counts, one in a hundred of them an abuser's, and asks how often legitimate days reach the evidence.
func TestVolumesKeepTheirPromise(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	count := func() uint8 {
		mean := 0.
		for range 2 {
			mean += rng.ExpFloat64() * 3
		}
		n, left := 0, mean
		for left -= rng.ExpFloat64(); left > 0; left -= rng.ExpFloat64() {
			n++
		}
		return uint8(min(n, 255))
	}
	var known peaks
	const days = 20_000
	for range days {
		known[countBin(count())]++
	}
	known[countBin(200)] += days / 200
	tail, ok := known.tail(days * 1.005)
	if !ok || !tail.fits {
		t.Fatal("no law was fitted")
	}
	l := tail.law(1)
	const draws = 400_000
	for _, alpha := range []float64{.01, .001, .0001} {
		reached := 0
		for range draws {
			if evidenceFloor(int(l.worth[countBin(count())])) >= 1/alpha {
				reached++
			}
		}
		if share := float64(reached) / draws; share > alpha {
			t.Errorf("%v of legitimate days reach evidence of %v", share, 1/alpha)
		}
	}
	if got := evidenceFloor(int(l.worth[countBin(60)])); got < 10_000 {
		t.Errorf("60 requests are worth %v", got)
	}
}

func TestCountBins(t *testing.T) {
	for n := range 256 {
		bin := int(countBin(uint8(n)))
		if bin >= countBins || float64(n) < countFloor(bin) || (bin+1 < countBins && n > 0 && float64(n) >= countFloor(bin+1) && countFloor(bin+1) > countFloor(bin)) {
			t.Errorf("%d is in bin %d, from %v", n, bin, countFloor(bin))
		}
	}
}

// TestRouteCountsAgreeWithAMap counts as many routes as there are places, and one too many.
func TestRouteCountsAgreeWithAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	v, counts, most := new(volume), map[uint16]int{}, map[uint16]int{}
	for i := range 5000 {
		if i%300 == 0 {
			clear(counts)
		}
		class := uint16(1 + rng.IntN(routeSlots))
		counts[class] = min(counts[class]+1, 255)
		most[class] = max(most[class], counts[class])
		v.count(class, uint32(1+i/300))
	}
	for class, n := range most {
		if got := v.peak(class); got != countBin(uint8(n)) {
			t.Errorf("class %d: bin %d, want that of %d", class, got, n)
		}
	}
	loudest := slices.MaxFunc(v.Routes[:], func(a, b routeCount) int { return int(a.Peak) - int(b.Peak) })
	v.count(999, 99)
	if v.peak(999) != 1 || v.peak(loudest.Class) != loudest.Peak {
		t.Error("a route too many must take the place of the least")
	}
}

// TestVolumesSurviveARestart compares states of engines with other workers, batches and a restart after each.
func TestVolumesSurviveARestart(t *testing.T) {
	state := func(workers, size int, restart bool) []byte {
		e := newEngine(t, workers)
		for on := range 3 {
			for some := range slices.Chunk(slices.Concat(carts(on, 250, "d-", 0), carts(on, 8, "h-", 80)), size) {
				e.Score(sundew.Batch{Events: some})
			}
			if restart {
				e = restarted(t, e, workers)
			}
		}
		if e.population.volumes.laws[volumeOfDevices] == (volumeLaw{}) {
			t.Fatal("nothing was learned")
		}
		return e.AppendState(nil)
	}
	want := state(1, 1<<20, false)
	for _, got := range [][]byte{state(8, 100, false), state(3, 999, true)} {
		if !bytes.Equal(got, want) {
			t.Error("the states differ")
		}
	}
}

// BenchmarkSettleVolumes is what the turn of a day costs where all classes of routes are in use, of every kind.
func BenchmarkSettleVolumes(b *testing.B) {
	rng := rand.New(rand.NewPCG(31, 32))
	v := new(volumes)
	for of := range numVolumes {
		v.days[of] = 200_000
		for class := 1; class <= routeClasses; class++ {
			p := new(peaks)
			mean := rng.ExpFloat64() * 4
			for range 1000 {
				p[countBin(uint8(min(1+rng.ExpFloat64()*mean, 255)))] += 20
			}
			v.peaks[of][class] = p
		}
	}
	for b.Loop() {
		v.settle()
	}
}
