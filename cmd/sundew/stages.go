package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// stages runs components that stop in turn: what was started last stops first, so that nothing loses what it still wants
// to hand on. When one component ends with an error, all stop.
type stages struct {
	failed context.CancelCauseFunc
	list   []*stage
}

type stage struct {
	cancel context.CancelFunc
	joined sync.WaitGroup
}

// newStages returns the stages and the context that ends when ctx does or when a component fails.
func newStages(ctx context.Context) (*stages, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &stages{failed: cancel}, ctx
}

// start adds a stage of components. Their context ends when their turn to stop comes.
func (s *stages) start(components map[string]func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	st := &stage{cancel: cancel}
	s.list = append(s.list, st)
	for name, run := range components {
		st.joined.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				s.failed(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
}

// stop ends the stages from the last to the first, each joined before the next is told.
func (s *stages) stop() {
	for _, v := range slices.Backward(s.list) {
		v.cancel()
		v.joined.Wait()
	}
}

// cause is the error of the component that ended ctx, nil where a signal did.
func cause(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
