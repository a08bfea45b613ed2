package scoring

import (
	"fmt"
	"testing"
	"time"

	"sundew"
)

// shop is a day of devices that take the given steps over and over.
func shop(day, devices int, name string, steps ...string) (events []sundew.Event) {
	for d := range devices {
		for i := range 30 {
			at := time.Duration(day)*24*time.Hour + time.Duration(d*7+i*60)*time.Second
			events = append(events, request(at, client, func(e *sundew.Event) {
				e.Device, e.Route, e.Path = fmt.Sprint(name, d), steps[i%len(steps)], steps[i%len(steps)]
			}))
		}
	}
	return events
}

func TestRoutesChannel(t *testing.T) {
	usual := []string{"/home", "/list", "/item", "/cart", "/list", "/item"}
	learned := func() *Engine {
		e := newEngine(t, 1)
		for day := range 4 {
			e.Score(sundew.Batch{Events: shop(day, 250, "d-", usual...)})
		}
		return e
	}
	spoken := func(e *Engine, name string, steps ...string) float64 {
		e.Score(sundew.Batch{Events: shop(5, 1, name, steps...)})
		hash := e.hash.key(sundew.KindDevice, name+"0")
		c := &e.cells[cellOf(sundew.KindDevice, hash)]
		return float64(*c.table.open(c.table.find(hash)).ledger(chRoutes))
	}
	if got := spoken(learned(), "new-", usual...); got != 0 {
		t.Errorf("who goes the usual ways has evidence of %v, want none", got)
	}
	backwards := spoken(learned(), "odd-", "/cart", "/item", "/list", "/home")
	if backwards <= 1 || backwards > 10 {
		t.Errorf("who goes backwards has evidence of %v, want more than 1 and at most 10", backwards)
	}
	if got := spoken(newEngine(t, 1), "odd-", "/cart", "/item", "/list", "/home"); got != 0 {
		t.Errorf("before anything is known of the ways, evidence is %v", got)
	}
}
