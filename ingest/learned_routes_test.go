package ingest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

// asked is a request for a path by the n-th network.
func asked(path string, network int) sundew.Event {
	e := sundew.NewEvent()
	e.Path, e.Client = path, netip.AddrFrom4([4]byte{198, 51, byte(network), 7})
	return e
}

// routed returns the route that m leaves to a request.
func routed(m *routeMemory, e sundew.Event) string {
	treatment{learned: m}.finish(&e)
	return e.Route
}

func word(i int) string {
	return fmt.Sprintf("/w%s/17", strings.Repeat("x", i%7)+strings.Map(letters, fmt.Sprint(i)))
}

// letters makes words of numbers, so that they are no identifiers.
func letters(r rune) rune { return r - '0' + 'a' }

func TestWhoSpraysPathsMakesFewRoutes(t *testing.T) {
	for _, networks := range []int{1, 2, 50} {
		t.Run(fmt.Sprint(networks, " networks"), func(t *testing.T) {
			reg := prometheus.NewRegistry()
			m := newRouteMemory(reg)
			routes := map[string]int{}
			ask := func(path string, network int) string {
				route := routed(m, asked(path, network))
				routes[route]++
				return route
			}
			for range routeNetworks {
				ask("/orders/17", 1) // before the spray
			}
			for i := range 50_000 {
				for n := range min(networks, 4) {
					ask(word(i), n)
				}
				if i%1000 == 0 {
					if got := ask("/orders/18", 1); got != "/orders/{id}" {
						t.Fatalf("after %d words the route of before is %s", i, got)
					}
				}
			}
			most := freeRoutes
			if networks >= routeNetworks {
				most = learnedRoutes
			}
			if n := len(routes); n > most+1 {
				t.Errorf("there are %d routes, at most %d may be", n, most+1)
			}
			for n := range routeNetworks {
				ask("/carts/1/items", 60+n)
			}
			if got := ask("/carts/2/items", 1); (got == "/carts/{id}/items") != (networks < routeNetworks) {
				t.Errorf("a new route that several networks ask for is %s", got)
			}
			if got, want := testutil.ToFloat64(m.other), float64(routes[otherRoute]); got != want || want == 0 {
				t.Errorf("%v requests of other routes are counted, want %v", got, want)
			}
			held := len(m.since) + len(m.before) + len(m.candidates)
			if held > 2*learnedRoutes+routeCandidates {
				t.Errorf("%d routes are held", held)
			}
		})
	}
}

func TestLongRoutesAreOther(t *testing.T) {
	if got := routed(newRouteMemory(nil), asked("/"+strings.Repeat("a", maxTemplate)+"/17", 1)); got != otherRoute {
		t.Errorf("got %.40s", got)
	}
}

func TestRoutesInUseOutliveAGeneration(t *testing.T) {
	m := newRouteMemory(nil)
	routed(m, asked("/orders/17", 1))
	m.at(generation)
	for i := range 2 * freeRoutes {
		routed(m, asked(word(i), 1))
	}
	if got := routed(m, asked("/orders/17", 1)); got != "/orders/{id}" {
		t.Errorf("one generation later the route is %s", got)
	}
	m.at(2 * generation)
	for i := range freeRoutes {
		routed(m, asked(word(i), 1))
	}
	if got := routed(m, asked("/orders/17", 1)); got != otherRoute {
		t.Errorf("a route that one network asked for, twice too late, is %s", got)
	}
}

// expectFunctionOfTheLog begins at a place in the middle and wants the routes of who began at the start, which are few.
func expectFunctionOfTheLog(t *testing.T, log []sundew.Event, start int) {
	t.Helper()
	small := func() *routeMemory {
		m := newRouteMemory(nil)
		m.free, m.most, m.waiting = 2, 5, 4
		return m
	}
	whole, later := small(), small()
	routes := map[int64]map[string]bool{}
	for i, e := range log {
		whole.at(e.Offset)
		want := routed(whole, e)
		if want != "" && want != otherRoute {
			g := e.Offset / generation
			if routes[g] == nil {
				routes[g] = map[string]bool{}
			}
			routes[g][want] = true
			if len(routes[g]) > 2*whole.most {
				t.Fatalf("%d routes in generation %d", len(routes[g]), g)
			}
		}
		if e.Offset < warmFrom(log[start].Offset) {
			continue
		}
		later.at(e.Offset)
		if got := routed(later, e); i >= start && got != want {
			t.Fatalf("offset %d: %s has the route %s, and %s for who began at offset %d", e.Offset, e.Path, want, got, log[start].Offset)
		}
	}
}

func TestLearnedRoutesAreAFunctionOfTheLog(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var log []sundew.Event
	offset := int64(0)
	for range 4000 {
		offset += 1 + random.Int64N(3*generation/1000)
		e := asked(word(random.IntN(12)), random.IntN(4))
		e.Offset = offset
		log = append(log, e)
	}
	for _, start := range []int{1, 700, 1999, 3990} {
		expectFunctionOfTheLog(t, log, start)
	}
}

// FuzzLearnedRoutes reads a path, a network and a step of offsets out of every three bytes.
func FuzzLearnedRoutes(f *testing.F) {
	f.Add([]byte("aA1bB2cC3dD4aA5bB6"), uint8(2))
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz0123456789"), uint8(7))
	f.Fuzz(func(t *testing.T, data []byte, start uint8) {
		var log []sundew.Event
		offset := int64(0)
		for ; len(data) >= 3; data = data[3:] {
			offset += 1 + int64(data[2])*generation/64
			e := asked(word(int(data[0]%16)), int(data[1]%8))
			e.Offset = offset
			log = append(log, e)
		}
		if len(log) > 0 {
			expectFunctionOfTheLog(t, log, int(start)%len(log))
		}
	})
}
