package sundew

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Batch is a run of one partition's log that is scored, recorded and acknowledged as one.
type Batch struct {
	Events   []Event      // readable lines, in log order
	Rejected []DeadLetter // the others
	Labels   []Label      // analysts' words that stand among the events, by Before
	Position Position
}

// Position is the part of a log that a batch covers: offsets First to Next-1 of a partition. For a file, offsets count
// lines from 0.
type Position struct {
	Partition   int32
	First, Next int64
}

// DeadLetter is a line that could not be read, kept with the reason and the place it came from.
type DeadLetter struct {
	Time   time.Time `json:"time"`   // when it was rejected; for a replay the time of the event before it
	Source string    `json:"source"` // topic, file or listener, and the token's name
	// Partition and Offset say where in Source: for a file the offset counts lines from 0, and for a listener
	// it does no more than tell its letters apart.
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Format    string `json:"format"`
	Reason    string `json:"reason"` // a short fixed text, such as "timestamp missing": fit for a metric label
	Detail    string `json:"detail"` // what exactly, with column where known; may quote the line
	Line      string `json:"line"`   // the original, at most MaxLine bytes, valid UTF-8

	// Attempt counts the replays of the line. Of several letters with one place the last holds.
	Attempt int `json:"attempt,omitempty"`
	// Replayed says that the last attempt read the line: its event is in the log, and the letter is no longer dead.
	Replayed bool `json:"replayed,omitempty"`
}

// Source is a log that is read from a position on.
type Source interface {
	// Next waits for the next batch. It returns io.EOF when a finite source is done and ctx's error when ctx ends.
	Next(ctx context.Context) (Batch, error)
	// Commit says that b and all before it need not come again. It is advice: correctness rests on the snapshot.
	Commit(ctx context.Context, b Batch) error
}

// Scorer folds a batch into its state and returns the scores of the entities that the events name, ordered by event and
// then as Event.AppendEntities orders them. It is a pure function of state and batch: no clock, no I/O. The slice is the
// scorer's and holds until the next call: who keeps a score, such as a Recorder that puts it in line, copies it.
type Scorer interface{ Score(b Batch) []Score }

// Policy turns scores into decisions, in the order of the scores. It is pure in the same sense.
type Policy interface {
	Decide(scores []Score) []Decision
}

// Publisher hands decisions on to the edges. When Publish returns nil they survive a crash. Publishing a decision twice
// has the effect of publishing it once.
type Publisher interface {
	Publish(ctx context.Context, ds []Decision) error
}

// Rejecter keeps dead letters. When Reject returns nil they survive a crash.
type Rejecter interface {
	Reject(ctx context.Context, letters []DeadLetter) error
}

// Recorder keeps what happened for analysts. Any of the three may be empty.
type Recorder interface {
	Record(ctx context.Context, b Batch, scores []Score, ds []Decision) error
}

// Checkpointer makes the state after a batch durable, or decides that it is too early to. force asks for it now.
type Checkpointer interface {
	Checkpoint(ctx context.Context, at Position, force bool) error
}

// Pipeline is the way of one partition's log lines to decisions. Source, Scorer and Policy are needed; a nil one of the
// others is left out.
//
// Order within a batch: dead letters and decisions are durable before the state that caused them is, and the source is
// told last. A crash in between repeats the batch from the older state, which gives the same decisions again.
type Pipeline struct {
	Source     Source
	Scorer     Scorer
	Policy     Policy
	Rejecter   Rejecter
	Publisher  Publisher
	Recorder   Recorder
	Checkpoint Checkpointer
	Observe    func(b Batch, scores []Score, ds []Decision) // counters; called once per batch, before anything is sent
}

// Run carries batches until the source is done or ctx ends, both of which are nil. The batch in hand is finished under
// its own context, so that a stop loses nothing.
func (p *Pipeline) Run(ctx context.Context) error {
	var last Position
	for {
		b, err := p.Source.Next(ctx)
		if errors.Is(err, io.EOF) || (err != nil && ctx.Err() != nil) {
			return p.stop(context.WithoutCancel(ctx), last)
		}
		if err != nil {
			return fmt.Errorf("read batch: %w", err)
		}
		if err := p.step(context.WithoutCancel(ctx), b); err != nil {
			return err
		}
		last = b.Position
	}
}

func (p *Pipeline) step(ctx context.Context, b Batch) error {
	scores := p.Scorer.Score(b)
	decisions := p.Policy.Decide(scores)
	if p.Observe != nil {
		p.Observe(b, scores, decisions)
	}
	if p.Rejecter != nil && len(b.Rejected) > 0 {
		if err := p.Rejecter.Reject(ctx, b.Rejected); err != nil {
			return fmt.Errorf("keep dead letters: %w", err)
		}
	}
	if p.Publisher != nil && len(decisions) > 0 {
		if err := p.Publisher.Publish(ctx, decisions); err != nil {
			return fmt.Errorf("publish decisions: %w", err)
		}
	}
	if p.Recorder != nil {
		if err := p.Recorder.Record(ctx, b, scores, decisions); err != nil {
			return fmt.Errorf("record batch: %w", err)
		}
	}
	if p.Checkpoint != nil {
		if err := p.Checkpoint.Checkpoint(ctx, b.Position, false); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	if err := p.Source.Commit(ctx, b); err != nil {
		return fmt.Errorf("commit batch: %w", err)
	}
	return nil
}

func (p *Pipeline) stop(ctx context.Context, last Position) error {
	if p.Checkpoint == nil || last == (Position{}) {
		return nil
	}
	if err := p.Checkpoint.Checkpoint(ctx, last, true); err != nil {
		return fmt.Errorf("last checkpoint: %w", err)
	}
	return nil
}

// Stateful is a part of the state that a snapshot holds: the scorer's and the policy's.
type Stateful interface {
	// AppendState appends the state to dst. Equal states append equal bytes.
	AppendState(dst []byte) []byte
	// RestoreState replaces the state by what AppendState wrote. After an error the state is as New made it.
	RestoreState(src []byte) error
}
