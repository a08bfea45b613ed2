package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sundew"
)

// Agreement says how a stretch of the log agrees with a store. Every record of the log counts once: Records is the sum of
// Stored, Repeats, Letters, Other, Expired, Behind and Missing.
type Agreement struct {
	Records int64 `json:"records"`
	Stored  int64 `json:"stored"`  // requests with a row
	Repeats int64 `json:"repeats"` // requests whose stamp stands in the row of another record: sent twice, counted once
	Letters int64 `json:"letters"` // lines that could not be read and are kept as dead letters
	Other   int64 `json:"other"`   // no requests: labels, and lines such as headers
	Expired int64 `json:"expired"` // without a row, and older than the retention
	Behind  int64 `json:"behind"`  // that the store has not come to yet
	Missing int64 `json:"missing"` // without row and letter
	Twice   int64 `json:"twice"`   // rows beyond the first of their record
	Strange int64 `json:"strange"` // rows at offsets where the log has no request

	Faults []Fault `json:"faults,omitempty"` // the first few of Missing, Twice and Strange
}

// Fault is a record or row that should not be, or should.
type Fault struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	What      string `json:"what"` // missing, twice or strange
}

const maxFaults = 20

// Add adds the counts of another stretch.
func (a *Agreement) Add(b Agreement) {
	a.Records += b.Records
	a.Stored += b.Stored
	a.Repeats += b.Repeats
	a.Letters += b.Letters
	a.Other += b.Other
	a.Expired += b.Expired
	a.Behind += b.Behind
	a.Missing += b.Missing
	a.Twice += b.Twice
	a.Strange += b.Strange
	a.Faults = append(a.Faults, b.Faults[:min(len(b.Faults), maxFaults-len(a.Faults))]...)
}

func (a *Agreement) fault(count *int64, what string, partition int32, offset int64, n int64) {
	*count += n
	if len(a.Faults) < maxFaults {
		a.Faults = append(a.Faults, Fault{partition, offset, what})
	}
}

// LetterAgreement says how the topic of dead letters agrees with a store. Letters is the sum of the others.
type LetterAgreement struct {
	Letters  int64 `json:"letters"`
	Stored   int64 `json:"stored"`
	Replayed int64 `json:"replayed"` // read after all, so they are kept no more
	Expired  int64 `json:"expired"`  // not stored, and older than the retention
	Missing  int64 `json:"missing"`  // that the store has not
}

// Add adds the counts of other letters.
func (a *LetterAgreement) Add(b LetterAgreement) {
	a.Letters += b.Letters
	a.Stored += b.Stored
	a.Replayed += b.Replayed
	a.Expired += b.Expired
	a.Missing += b.Missing
}

// Verifier compares the log with the rows of a store that nobody writes to. It asks by offset and by stamp, and knows
// nothing of how the rows came to be there. One goroutine uses it.
type Verifier struct {
	store   *DuckDB
	reached map[int32]position
	oldest  time.Time            // rows of before may be gone; zero: none is
	letters map[letterPlace]bool // of the topic, that the store has not
}

// Verify starts a comparison.
func (d *DuckDB) Verify(ctx context.Context) (*Verifier, error) {
	v := &Verifier{store: d, letters: map[letterPlace]bool{}}
	leave, err := d.enter()
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	defer leave()
	if v.reached, err = positions(ctx, d.db); err != nil {
		return nil, fmt.Errorf("verify: resume points: %w", err)
	}
	newest, found, err := newestEvent(ctx, d.db)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	if whole := d.config.wholeFor(); found && whole > 0 {
		v.oldest = newest.Add(-whole)
	}
	return v, nil
}

// Letters compares some of the living and replayed letters of the topic. It comes before Records, which finds there what
// became of lines that could not be read.
func (v *Verifier) Letters(ctx context.Context, letters []sundew.DeadLetter) (a LetterAgreement, err error) {
	a.Letters = int64(len(letters))
	rows, err := v.letterRows(ctx, letters)
	if err != nil {
		return a, err
	}
	for i := range letters {
		l := &letters[i]
		at := letterPlaceOf(l)
		switch {
		case l.Replayed:
			a.Replayed++
			v.letters[at] = true
		case rows[at]:
			a.Stored++
		case l.Time.Before(v.oldest):
			a.Expired++
		default:
			a.Missing++
			v.letters[at] = true
		}
	}
	return a, nil
}

// letterRows returns which of the letters have a row.
func (v *Verifier) letterRows(ctx context.Context, letters []sundew.DeadLetter) (map[letterPlace]bool, error) {
	sources, partitions, offsets := []string{}, []int32{}, []int64{}
	for i := range letters {
		sources = append(sources, letters[i].Source)
		partitions = append(partitions, letters[i].Partition)
		offsets = append(offsets, letters[i].Offset)
	}
	found, err := ask(ctx, v.store, "verify dead letters", `
		SELECT source, log_partition, log_offset FROM dead_letters SEMI JOIN
		(SELECT unnest(?::VARCHAR[]) AS source, unnest(?::INTEGER[]) AS log_partition, unnest(?::BIGINT[]) AS log_offset)
		USING (source, log_partition, log_offset)`,
		func(r row) (at letterPlace, err error) {
			return at, r.Scan(&at.source, &at.partition, &at.offset)
		}, sources, partitions, offsets)
	rows := make(map[letterPlace]bool, len(found))
	for _, at := range found {
		rows[at] = true
	}
	return rows, err
}

// Records compares a batch of the log: every line that can be read is an event, repeats too. Batches of a partition come
// in their order and without gaps.
func (v *Verifier) Records(ctx context.Context, b sundew.Batch) (a Agreement, err error) {
	p := b.Position
	a.Records = p.Next - p.First
	rows, err := v.rowsBetween(ctx, p)
	if err != nil {
		return a, err
	}
	reached := v.reached[p.Partition].eventsNext
	a.Behind = max(p.Next-max(p.First, reached), 0)
	if err := v.events(ctx, &a, b.Events, rows, reached); err != nil {
		return a, err
	}
	if err := v.rejected(ctx, &a, b, reached); err != nil {
		return a, err
	}
	for offset, n := range rows { // those of events are gone
		a.fault(&a.Strange, "strange", p.Partition, offset, n)
	}
	slices.SortFunc(a.Faults, func(x, y Fault) int { return int(x.Offset - y.Offset) })
	a.Other = a.Records - a.Stored - a.Repeats - a.Letters - a.Expired - a.Behind - a.Missing
	return a, nil
}

// rowsBetween counts the rows at each offset.
func (v *Verifier) rowsBetween(ctx context.Context, p sundew.Position) (map[int64]int64, error) {
	type count struct{ offset, n int64 }
	found, err := ask(ctx, v.store, "verify events", `
		SELECT log_offset, count(*) FROM events WHERE log_partition = ? AND log_offset >= ? AND log_offset < ? GROUP BY log_offset`,
		func(r row) (c count, err error) { return c, r.Scan(&c.offset, &c.n) }, p.Partition, p.First, p.Next)
	rows := make(map[int64]int64, len(found))
	for _, c := range found {
		rows[c.offset] = c.n
	}
	return rows, err
}

// events takes the rows of events out of rows.
func (v *Verifier) events(ctx context.Context, a *Agreement, events []sundew.Event, rows map[int64]int64, reached int64) error {
	var without []*sundew.Event
	for i := range events {
		e := &events[i]
		if e.Offset >= reached {
			break // they are behind, and a row of theirs is strange
		}
		n := rows[e.Offset]
		delete(rows, e.Offset)
		switch {
		case n == 0:
			without = append(without, e)
			continue
		case n > 1:
			a.fault(&a.Twice, "twice", e.Partition, e.Offset, n-1)
		}
		a.Stored++
	}
	repeats, err := v.stamped(ctx, without)
	if err != nil {
		return err
	}
	for i, e := range without {
		switch {
		case repeats[i]:
			a.Repeats++
		case e.Time.Before(v.oldest):
			a.Expired++
		default:
			a.fault(&a.Missing, "missing", e.Partition, e.Offset, 1)
		}
	}
	return nil
}

// stamped returns which of the events, by index, have a stamp that a row has.
func (v *Verifier) stamped(ctx context.Context, events []*sundew.Event) (map[int]bool, error) {
	which, gateways, epochs, sequences := []int64{}, []string{}, []uint64{}, []uint64{}
	for i, e := range events {
		if e.Gateway == "" || e.GatewayEpoch == 0 || e.GatewaySequence == 0 {
			continue
		}
		which = append(which, int64(i))
		gateways = append(gateways, e.Gateway)
		epochs = append(epochs, e.GatewayEpoch)
		sequences = append(sequences, e.GatewaySequence)
	}
	if len(which) == 0 {
		return nil, nil
	}
	found, err := ask(ctx, v.store, "verify stamps", `
		SELECT which FROM (SELECT unnest(?::BIGINT[]) AS which, unnest(?::VARCHAR[]) AS gateway,
			unnest(?::UBIGINT[]) AS gateway_epoch, unnest(?::UBIGINT[]) AS gateway_sequence)
		SEMI JOIN events USING (gateway, gateway_epoch, gateway_sequence)`,
		func(r row) (i int, err error) { return i, r.Scan(&i) }, which, gateways, epochs, sequences)
	repeats := make(map[int]bool, len(found))
	for _, i := range found {
		repeats[i] = true
	}
	return repeats, err
}

// rejected looks for the letters of lines that could not be read.
func (v *Verifier) rejected(ctx context.Context, a *Agreement, b sundew.Batch, reached int64) error {
	rows, err := v.letterRows(ctx, b.Rejected)
	if err != nil {
		return err
	}
	for i := range b.Rejected {
		l := &b.Rejected[i]
		at := letterPlaceOf(l)
		switch {
		case l.Offset >= reached:
		case rows[at] || v.letters[at]:
			a.Letters++
		case l.Time.Before(v.oldest):
			a.Expired++
		default:
			a.fault(&a.Missing, "missing", l.Partition, l.Offset, 1)
		}
	}
	return nil
}

// Twice counts the rows beyond the first of each stamp: requests that were counted again.
func (v *Verifier) Twice(ctx context.Context) (int64, error) {
	found, err := ask(ctx, v.store, "verify repeats", `
		SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (
			SELECT count(*) AS n FROM events WHERE gateway IS NOT NULL AND gateway_epoch > 0 AND gateway_sequence > 0
			GROUP BY gateway, gateway_epoch, gateway_sequence HAVING n > 1)`,
		func(r row) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, err
	}
	return found[0], nil
}

// Stamps are consecutive sequences of one start of a gateway, First and Last among them.
type Stamps struct {
	Gateway            string
	Epoch, First, Last uint64
}

// Stamped counts the stamps that a row has, each once.
func (v *Verifier) Stamped(ctx context.Context, s Stamps) (uint64, error) {
	found, err := ask(ctx, v.store, "verify acknowledged stamps", `
		SELECT count(DISTINCT gateway_sequence)::UBIGINT FROM events
		WHERE gateway = ? AND gateway_epoch = ?::UBIGINT AND gateway_sequence BETWEEN ?::UBIGINT AND ?::UBIGINT`,
		func(r row) (n uint64, err error) { return n, r.Scan(&n) },
		s.Gateway, fmt.Sprint(s.Epoch), fmt.Sprint(s.First), fmt.Sprint(s.Last)) // database/sql refuses numbers of 64 bits
	if err != nil {
		return 0, err
	}
	return found[0], nil
}

// LettersBetween counts the dead letters, of whatever source, of a partition's offsets from first to last.
func (v *Verifier) LettersBetween(ctx context.Context, partition int32, first, last int64) (uint64, error) {
	found, err := ask(ctx, v.store, "verify acknowledged stamps", `
		SELECT count(*) FROM dead_letters WHERE log_partition = ? AND log_offset BETWEEN ? AND ?`,
		func(r row) (n uint64, err error) { return n, r.Scan(&n) }, partition, first, last)
	if err != nil {
		return 0, err
	}
	n := found[0]
	for at := range v.letters {
		if at.partition == partition && first <= at.offset && at.offset <= last {
			n++
		}
	}
	return n, nil
}

// Reached returns the offset of the partition that the store has come to.
func (v *Verifier) Reached(partition int32) int64 { return v.reached[partition].eventsNext }
