//go:build unix

package edge

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"sundew"
)

// BenchmarkEnforcement publishes decisions one after the other and measures, for each, how long it takes until each of a
// thousand followers, all in this process, would enforce it. p50 and p99 are over all followers and decisions.
func BenchmarkEnforcement(b *testing.B) {
	const followers = 1000
	l := NewLog(DefaultLogConfig(), nil)
	l.MarkReady()
	server := httptest.NewServer(NewFeed(FeedConfig{}, l, nil, quiet()))
	defer server.Close()
	tables := make([]*Table, followers)
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	for i := range tables {
		tables[i] = NewTable()
		c := DefaultFollowerConfig()
		c.URL, c.Client = server.URL, &http.Client{Transport: &http.Transport{}}
		f := NewFollower(c, tables[i], nil, quiet())
		running.Go(func() { _ = f.Run(ctx) }) // returns nil
	}
	defer running.Wait()
	defer stop()
	listed := func(t *Table, addr netip.Addr) bool {
		_, ok := t.Lookup(addr, "", "", "", time.Now())
		return ok
	}
	for _, t := range tables {
		for t.Cursor() == (sundew.Cursor{}) {
			time.Sleep(time.Millisecond) // the first list is not part of the measure
		}
	}
	var took []time.Duration
	cpu := processCPU(b)
	began := time.Now()
	n := 0
	for b.Loop() {
		n++
		addr := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		published := time.Now()
		publish(b, l, decision(b, fmt.Sprint("ip:", addr), sundew.ActionBlock, "scan", from(published), lasting(time.Hour)))
		waiting := slices.Clone(tables)
		for len(waiting) > 0 {
			waiting = slices.DeleteFunc(waiting, func(t *Table) bool {
				if !listed(t, addr) {
					return false
				}
				took = append(took, time.Since(published))
				return true
			})
			time.Sleep(time.Millisecond)
		}
	}
	busy := (processCPU(b) - cpu).Seconds() / time.Since(began).Seconds()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "p99-ms")
	b.ReportMetric(busy, "cores")
}

// BenchmarkPolling is a thousand edges that ask every ten seconds and get nothing new: 100 questions a second. It reports
// what share of a core they take, clients included.
func BenchmarkPolling(b *testing.B) {
	l := NewLog(DefaultLogConfig(), nil)
	l.MarkReady()
	publish(b, l, decision(b, "ip:192.0.2.1", sundew.ActionBlock, "scan", from(time.Now()), lasting(time.Hour)))
	server := httptest.NewServer(NewFeed(FeedConfig{}, l, nil, quiet()))
	defer server.Close()
	url := server.URL + "/feed/v1/changes?cursor=" + l.Cursor().String()
	cpu := processCPU(b)
	for b.Loop() {
		ask(b, http.MethodGet, url)
	}
	each := (processCPU(b) - cpu).Seconds() / float64(b.N)
	b.ReportMetric(100*100*each, "%core@1000")
}

func processCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
