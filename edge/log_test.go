package edge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

// told writes changes as "+kind:key rule action" and "-...".
func told(changes []sundew.Change) (lines []string) {
	for _, c := range changes {
		sign := "+"
		if c.Op == sundew.OpDelete {
			sign = "-"
		}
		lines = append(lines, fmt.Sprintf("%s%s %s %s", sign, c.Decision.Entity, c.Decision.RuleID(), c.Decision.Action))
	}
	return lines
}

func TestLog(t *testing.T) {
	const ip = "ip:192.0.2.1"
	tests := []struct {
		story string
		allow []sundew.Entity
		do    func(t *testing.T, l *Log, c *clock)
		told  []string // since the start, one line for each key
		count int
	}{
		{
			story: "a decision is on the list",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			},
			told: []string{"+ip:192.0.2.1 scan block"}, count: 1,
		},
		{
			story: "publishing twice is publishing once",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
				before := l.Cursor()
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
				if l.Cursor() != before {
					t.Error("the second time moved the cursor")
				}
			},
			told: []string{"+ip:192.0.2.1 scan block"}, count: 1,
		},
		{
			story: "the higher version holds, whichever comes first",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan", version(2)), decision(t, ip, sundew.ActionTarpit, "scan", version(1)))
			},
			told: []string{"+ip:192.0.2.1 scan block"}, count: 1,
		},
		{
			story: "two rules on one address stand side by side",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"), decision(t, ip, sundew.ActionTarpit, "stuffing"))
			},
			told: []string{"+ip:192.0.2.1 scan block", "+ip:192.0.2.1 stuffing tarpit"}, count: 2,
		},
		{
			story: "shadow decisions and observations are not enforced",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan", shadowed), decision(t, ip, sundew.ActionObserve, "stuffing"))
			},
		},
		{
			story: "a shadow decision leaves the one in force alone",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"), decision(t, ip, sundew.ActionTarpit, "scan", version(2), shadowed))
			},
			told: []string{"+ip:192.0.2.1 scan block"}, count: 1,
		},
		{
			story: "a later observation ends the block",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"), decision(t, ip, sundew.ActionObserve, "scan", version(2)))
			},
			told: []string{"-ip:192.0.2.1 scan block"},
		},
		{
			story: "what has expired on arrival does not enter",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan", from(monday.Add(-2*time.Hour))))
			},
		},
		{
			story: "a decision ends at its expiry, not before",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
				if n := l.Expire(monday.Add(time.Hour - time.Nanosecond)); n != 0 {
					t.Errorf("expired %d too early", n)
				}
				if n := l.Expire(monday.Add(time.Hour)); n != 1 {
					t.Errorf("expired %d, want 1", n)
				}
			},
			told: []string{"-ip:192.0.2.1 scan block"},
		},
		{
			story: "what was withdrawn does not come back with a replay",
			do: func(t *testing.T, l *Log, _ *clock) {
				d := decision(t, ip, sundew.ActionBlock, "scan")
				publish(t, l, d)
				if !l.Withdraw(d.Entity, d.Rule) || l.Withdraw(d.Entity, d.Rule) {
					t.Error("want true, then false")
				}
				publish(t, l, d)
			},
			told: []string{"-ip:192.0.2.1 scan block"},
		},
		{
			story: "a long old version does not come back after a short new one has expired",
			do: func(t *testing.T, l *Log, c *clock) {
				long, short := decision(t, ip, sundew.ActionBlock, "scan"), decision(t, ip, sundew.ActionBlock, "scan", version(2), lasting(time.Minute))
				publish(t, l, long, short)
				c.now = monday.Add(2 * time.Minute)
				l.Expire(c.now)
				publish(t, l, long)
			},
			told: []string{"-ip:192.0.2.1 scan block"},
		},
		{
			story: "the allow-list keeps an address and its parts off the list",
			allow: []sundew.Entity{{Kind: sundew.KindPrefix, Key: "192.0.2.0/25"}, {Kind: sundew.KindDevice, Key: "tester"}},
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"), decision(t, "device:tester", sundew.ActionBlock, "scan"),
					decision(t, "prefix:192.0.2.0/26", sundew.ActionBlock, "scan"), decision(t, "prefix:192.0.2.0/24", sundew.ActionBlock, "scan"))
			},
			told: []string{"+prefix:192.0.2.0/24 scan block"}, count: 1,
		},
		{
			story: "an unreadable decision is dropped and the rest goes on",
			do: func(t *testing.T, l *Log, _ *clock) {
				publish(t, l, sundew.Decision{}, decision(t, ip, sundew.ActionTarpit, "scan", delayed(time.Microsecond)), decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan"))
			},
			told: []string{"+ip:192.0.2.2 scan block"}, count: 1,
		},
		{
			story: "an IPv4 address written as IPv6 is the IPv4 address",
			do: func(t *testing.T, l *Log, _ *clock) {
				d := decision(t, ip, sundew.ActionBlock, "scan")
				d.Entity.Key = "::ffff:192.0.2.1"
				p := decision(t, ip, sundew.ActionBlock, "scan")
				p.Entity = sundew.Entity{Kind: sundew.KindPrefix, Key: "::ffff:192.0.2.0/120"}
				publish(t, l, d, p)
			},
			told: []string{"+ip:192.0.2.1 scan block", "+prefix:192.0.2.0/24 scan block"}, count: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			l, c := newTestLog(func(c *LogConfig) { c.Allow = tt.allow })
			tt.do(t, l, c)
			changes, next, ok := l.Since(sundew.Cursor{Epoch: "e"})
			if got := told(changes); !slices.Equal(got, tt.told) || !ok || next != l.Cursor() {
				t.Errorf("told %q, %v, %v\nwant %q", got, next, ok, tt.told)
			}
			if got := l.Active(); got != tt.count || len(l.Blocklist().Decisions) != tt.count {
				t.Errorf("%d in force, want %d", got, tt.count)
			}
		})
	}
}

func TestLogCountsWhatItDrops(t *testing.T) {
	l, _ := newTestLog(func(c *LogConfig) {
		c.MaxActive = 1
		c.Allow = []sundew.Entity{{Kind: sundew.KindDevice, Key: "tester"}}
	})
	publish(t, l,
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"),
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"),
		decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan", shadowed),
		decision(t, "ip:192.0.2.2", sundew.ActionObserve, "scan"),
		decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan", from(monday.Add(-2*time.Hour))),
		decision(t, "device:tester", sundew.ActionBlock, "scan"),
		decision(t, "ip:192.0.2.3", sundew.ActionBlock, "scan", lasting(time.Minute)),
		sundew.Decision{},
	)
	for _, outcome := range []string{outcomeAdded, outcomeStale, outcomeShadow, outcomeObserve, outcomeExpired, outcomeAllowed, outcomeFull, outcomeInvalid} {
		if got := testutil.ToFloat64(l.metrics.outcomes.WithLabelValues(outcome)); got != 1 {
			t.Errorf("%s counted %v times, want once", outcome, got)
		}
	}
}

func TestFullLogLetsTheSoonestGo(t *testing.T) {
	l, _ := newTestLog(func(c *LogConfig) { c.MaxActive = 2 })
	publish(t, l,
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", lasting(time.Minute)),
		decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan", lasting(time.Hour)),
		decision(t, "ip:192.0.2.3", sundew.ActionBlock, "scan", lasting(2*time.Hour)),
	)
	changes, _, _ := l.Since(sundew.Cursor{Epoch: "e"})
	want := []string{"+ip:192.0.2.2 scan block", "-ip:192.0.2.1 scan block", "+ip:192.0.2.3 scan block"}
	if got := told(changes); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestSinceRefusesVoidCursors(t *testing.T) {
	l, _ := newTestLog(func(c *LogConfig) { c.Retain = 4 })
	for i := range 20 {
		publish(t, l, decision(t, fmt.Sprintf("ip:192.0.2.%d", i), sundew.ActionBlock, "scan"))
	}
	tests := []struct {
		story  string
		cursor sundew.Cursor
		ok     bool
	}{
		{"here", sundew.Cursor{Epoch: "e", Seq: 20}, true},
		{"within what is retained", sundew.Cursor{Epoch: "e", Seq: 16}, true},
		{"older than what is retained", sundew.Cursor{Epoch: "e", Seq: 5}, false},
		{"not yet written", sundew.Cursor{Epoch: "e", Seq: 21}, false},
		{"another epoch", sundew.Cursor{Epoch: "f", Seq: 20}, false},
		{"no cursor", sundew.Cursor{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			changes, _, ok := l.Since(tt.cursor)
			if ok != tt.ok || (ok && uint64(len(changes)) != 20-tt.cursor.Seq) {
				t.Errorf("got %d changes, %v; want %v", len(changes), ok, tt.ok)
			}
		})
	}
}

func TestWaitEndsWithTheNextChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog(LogConfig{Epoch: "e"}, nil)
		done := make(chan error)
		go func() { done <- l.Wait(t.Context(), l.Cursor()) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("returned %v before there was a change", err)
		default:
		}
		publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", from(time.Now())))
		if err := <-done; err != nil {
			t.Error(err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Wait(short, l.Cursor()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
}

func TestRunExpiresEachAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog(LogConfig{Epoch: "e"}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		start := time.Now()
		publish(t, l, decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan", from(start)))
		synctest.Wait() // Run sleeps until then
		publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", from(start), lasting(time.Second)))
		for cursor := l.Cursor(); l.Active() > 0; cursor = l.Cursor() {
			if err := l.Wait(t.Context(), cursor); err != nil {
				t.Fatal(err)
			}
			want := time.Second
			if l.Active() == 0 {
				want = time.Hour
			}
			if got := time.Since(start); got != want {
				t.Errorf("with %d left: expired after %s, want %s", l.Active(), got, want)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// slowLog is a Log that remembers everything and looks through all of it.
type slowLog struct{ seen []sundew.Decision }

func (s *slowLog) at(now time.Time) []string {
	highest := make(map[string]sundew.Decision)
	for _, d := range s.seen {
		if h, ok := highest[d.Key()]; !d.Shadow && (!ok || d.Version > h.Version) {
			highest[d.Key()] = d
		}
	}
	var lines []string
	for _, d := range highest {
		if d.Action.Enforces() && d.InForce(now) {
			lines = append(lines, fmt.Sprint(d.Entity, d.RuleID(), d.Version))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestLogAgreesWithSlowLog(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		l, c := newTestLog()
		slow := new(slowLog)
		mirror := NewTable() // fed by the changes alone
		var cursor sundew.Cursor
		cursor.Epoch = "e"
		for range 400 {
			c.now = c.now.Add(time.Duration(random.Int64N(int64(2 * time.Minute))))
			l.Expire(c.now)
			d := decision(t, fmt.Sprintf("ip:192.0.2.%d", random.IntN(6)), sundew.Action(1+random.IntN(4)), "r"+string(rune('a'+random.IntN(2))),
				from(c.now), lasting(time.Duration(1+random.IntN(30))*time.Minute), version(c.now.UnixMicro()))
			d.Shadow = random.IntN(8) == 0
			if d.Action == sundew.ActionTarpit {
				d.Delay = time.Second
			}
			publish(t, l, d)
			slow.seen = append(slow.seen, d)
			if random.IntN(4) == 0 {
				publish(t, l, slow.seen[random.IntN(len(slow.seen))]) // a replay
			}
			changes, next, ok := l.Since(cursor)
			if !ok {
				t.Fatal("the cursor became void")
			}
			mirror.Apply(changes, next)
			cursor = next

			var got []string
			for _, d := range l.Blocklist().Decisions {
				got = append(got, fmt.Sprint(d.Entity, d.RuleID(), d.Version))
			}
			slices.Sort(got)
			if want := slow.at(c.now); !slices.Equal(got, want) {
				t.Fatalf("seed %d: in force\n%s\nwant\n%s", seed, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if got, want := mirror.current.Load().sum(), l.list().sum(); got != want {
				t.Fatalf("seed %d: the copy made of changes has sum %s, the list %s", seed, got, want)
			}
		}
	}
}

func TestLogConfigNamesTheMistake(t *testing.T) {
	for want, spoil := range map[string]func(*LogConfig){
		"epoch":      func(c *LogConfig) { c.Epoch = "A.1" },
		"retain":     func(c *LogConfig) { c.Retain = 0 },
		"max_active": func(c *LogConfig) { c.MaxActive = -1 },
		"allow":      func(c *LogConfig) { c.Allow = []sundew.Entity{{Kind: sundew.KindIP, Key: "here"}} },
	} {
		c := DefaultLogConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
