package ingest

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 2 * time.Second
)

// backoff is a pause that doubles from one failure to the next, with jitter, so that clients of one broker do not come
// back as one.
type backoff struct{ next time.Duration }

func newBackoff() *backoff { return &backoff{next: shortestPause} }

func (b *backoff) reset() { b.next = shortestPause }

// wait returns ctx's error where ctx ends first.
func (b *backoff) wait(ctx context.Context) error {
	pause := b.next/2 + rand.N(b.next/2)
	b.next = min(2*b.next, longestPause)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
