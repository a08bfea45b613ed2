package sim

import "time"

// crowdFactor is how many times more often than else people open the app.
const crowdFactor = 8

func flashCrowd() mishandling {
	return mishandling{
		Incident: Incident{
			Name:     "flash-crowd",
			Sentence: "A push message to everybody: for ten minutes people open the app eight times as often as else.",
			Lasts:    10 * time.Minute,
		},
		touch: invite,
	}
}

// invite has a person come more often than alone. The visits that the person would have paid anyway stay as they are.
func invite(o *occurrence, number uint32, c client, first time.Duration) (client, time.Duration) {
	p := personOf(c)
	if p == nil || p.installed >= 0 {
		return c, first
	}
	guest := &person{app: p.app, step: opening, orders: p.orders}
	guest.opens = p.opens
	guest.opens.rng = o.rand(number)
	guest.opens.perSecond *= crowdFactor - 1
	guest.opens.end = o.end
	guest.next = guest.opens.after(o.begin)
	guest.minuteEnd = o.begin
	comes, _ := guest.after(o.begin)
	return &both{one: c, other: guest, nextOne: first, nextOther: comes}, min(first, comes)
}
