package sundew_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"sundew"
)

// diary writes down in which order a pipeline calls its parts, and fails at the one it is told to.
type diary struct {
	batches int
	failAt  string
	entries []string
	onNext  func()
}

func (d *diary) note(format string, args ...any) error {
	entry := fmt.Sprintf(format, args...)
	d.entries = append(d.entries, entry)
	if d.failAt != "" && strings.HasPrefix(entry, d.failAt) {
		return errors.New("out of order")
	}
	return nil
}

func (d *diary) Next(ctx context.Context) (sundew.Batch, error) {
	if d.onNext != nil {
		d.onNext()
	}
	if ctx.Err() != nil {
		return sundew.Batch{}, ctx.Err()
	}
	if d.batches == 0 {
		return sundew.Batch{}, io.EOF
	}
	d.batches--
	n := int64(len(d.entries))
	return sundew.Batch{
		Events: []sundew.Event{{}}, Rejected: []sundew.DeadLetter{{}}, Position: sundew.Position{First: n, Next: n + 2},
	}, d.note("next")
}
func (d *diary) Commit(context.Context, sundew.Batch) error { return d.note("commit") }
func (d *diary) Score(sundew.Batch) []sundew.Score          { _ = d.note("score"); return []sundew.Score{{}} }

func (d *diary) Decide([]sundew.Score) []sundew.Decision {
	_ = d.note("decide")
	return []sundew.Decision{{}}
}
func (d *diary) Reject(context.Context, []sundew.DeadLetter) error { return d.note("reject") }
func (d *diary) Publish(context.Context, []sundew.Decision) error  { return d.note("publish") }
func (d *diary) Record(context.Context, sundew.Batch, []sundew.Score, []sundew.Decision) error {
	return d.note("record")
}

func (d *diary) Checkpoint(_ context.Context, _ sundew.Position, force bool) error {
	return d.note("checkpoint force=%v", force)
}

func (d *diary) pipeline() *sundew.Pipeline {
	return &sundew.Pipeline{Source: d, Scorer: d, Policy: d, Rejecter: d, Publisher: d, Recorder: d, Checkpoint: d}
}

// TestEffectsComeBeforeTheStateThatCausedThem is what makes a crash harmless.
func TestEffectsComeBeforeTheStateThatCausedThem(t *testing.T) {
	d := &diary{batches: 1}
	if err := d.pipeline().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"next", "score", "decide", "reject", "publish", "record", "checkpoint force=false", "commit", "checkpoint force=true"}
	if !reflect.DeepEqual(d.entries, want) {
		t.Errorf("got %v, want %v", d.entries, want)
	}
}

func TestAStopFinishesTheBatchInHand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := &diary{batches: 5}
	d.onNext = func() {
		if d.batches == 4 { // the second call
			cancel()
		}
	}
	if err := d.pipeline().Run(ctx); err != nil {
		t.Fatalf("a clean stop is an error: %v", err)
	}
	if last := d.entries[len(d.entries)-1]; last != "checkpoint force=true" {
		t.Errorf("the last thing done is %q, want the forced checkpoint", last)
	}
}

func TestErrorsSayWhatWasBeingDoneAndStopBeforeTheCommit(t *testing.T) {
	for part, want := range map[string]string{
		"next": "read batch", "reject": "keep dead letters", "publish": "publish decisions", "record": "record batch",
		"checkpoint": "checkpoint", "commit": "commit batch",
	} {
		t.Run(part, func(t *testing.T) {
			d := &diary{batches: 2, failAt: part}
			err := d.pipeline().Run(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), want+": ") {
				t.Errorf("got %v, want %q", err, want)
			}
			if part != "commit" && strings.Contains(strings.Join(d.entries, " "), "commit") {
				t.Errorf("the batch was committed all the same: %v", d.entries)
			}
		})
	}
}

func TestPartsMayBeMissing(t *testing.T) {
	d := &diary{batches: 1}
	p := sundew.Pipeline{Source: d, Scorer: d, Policy: d}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
