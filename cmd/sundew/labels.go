package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"sundew"
)

// readLabels reads labels as the log has them, one JSON object a line, and sorts them by time. It returns none without a
// file.
func readLabels(file string) ([]sundew.Label, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	defer func() { _ = f.Close() }()
	var labels []sundew.Label
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var label sundew.Label
		if err := json.Unmarshal(lines.Bytes(), &label); err != nil {
			return nil, fmt.Errorf(`%s:%d: %w: want {"time":"2026-11-24T12:00:00Z","entity":{"kind":"ip","key":"192.0.2.7"},"verdict":"abuse","by":"jane"}`, file, n, err)
		}
		if err := label.Validate(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		labels = append(labels, label)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	slices.SortStableFunc(labels, func(a, b sundew.Label) int { return a.Time.Compare(b.Time) })
	return labels, nil
}

// labelling puts each label in front of the first event that is later than it. One later than all events would change
// nothing of what is replayed.
type labelling struct {
	sundew.Source
	labels []sundew.Label
}

// Next adds the labels whose time has come to the batch.
func (l *labelling) Next(ctx context.Context) (sundew.Batch, error) {
	b, err := l.Source.Next(ctx)
	for i := range b.Events {
		for len(l.labels) > 0 && b.Events[i].Time.After(l.labels[0].Time) {
			label := l.labels[0]
			label.Before = i
			b.Labels, l.labels = append(b.Labels, label), l.labels[1:]
		}
	}
	return b, err
}
