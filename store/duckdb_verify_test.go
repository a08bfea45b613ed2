package store

import (
	"math"
	"testing"
	"time"

	"sundew"
)

// insertAgain repeats the row of an offset, which no method of the store would.
func insertAgain(t *testing.T, d *DuckDB, offset int64) {
	t.Helper()
	if _, err := d.db.ExecContext(t.Context(), `INSERT INTO events SELECT * FROM events WHERE log_offset = ?`, offset); err != nil {
		t.Fatal(err)
	}
}

func stampedRequest(offset int64, epoch, sequence uint64) sundew.Event {
	e := request(offset, time.Duration(offset)*time.Second, "192.0.2.1")
	e.Gateway, e.GatewayEpoch, e.GatewaySequence = "gw-1", epoch, sequence
	return e
}

func verifier(t *testing.T, d *DuckDB) *Verifier {
	t.Helper()
	v, err := d.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestVerifyFindsWhatDiffers records a log of nine offsets in which 4 is a repeat of 1, 5 a label and 6 no line, and spoils
// the rows or the log.
func TestVerifyFindsWhatDiffers(t *testing.T) {
	const biggest = math.MaxUint64
	whole := sundew.Batch{Position: sundew.Position{Next: 9}}
	for offset := range int64(9) {
		switch offset {
		case 4:
			whole.Events = append(whole.Events, stampedRequest(4, biggest, 1<<63+1))
		case 5:
			whole.Labels = append(whole.Labels, sundew.Label{})
		case 6:
			whole.Rejected = append(whole.Rejected, sundew.DeadLetter{Source: "sundew.requests", Offset: 6, Time: at(0)})
		default:
			whole.Events = append(whole.Events, stampedRequest(offset, biggest, 1<<63+uint64(offset)))
		}
	}
	counted := whole // what the recorder writes
	counted.Events = append(append([]sundew.Event{}, whole.Events[:4]...), whole.Events[5:]...)
	fine := Agreement{Records: 9, Stored: 6, Repeats: 1, Letters: 1, Other: 1}

	tests := []struct {
		name  string
		spoil func(t *testing.T, d *DuckDB, read *sundew.Batch)
		want  Agreement
		twice int64
	}{
		{"nothing", func(*testing.T, *DuckDB, *sundew.Batch) {}, fine, 0},
		{"a row is gone", func(t *testing.T, d *DuckDB, _ *sundew.Batch) {
			removeRow(t, d, "events", 2)
		}, Agreement{Records: 9, Stored: 5, Repeats: 1, Letters: 1, Other: 1, Missing: 1, Faults: []Fault{{0, 2, "missing"}}}, 0},
		{"the row of a repeat is gone", func(t *testing.T, d *DuckDB, _ *sundew.Batch) {
			removeRow(t, d, "events", 1)
		}, Agreement{Records: 9, Stored: 5, Letters: 1, Other: 1, Missing: 2, Faults: []Fault{{0, 1, "missing"}, {0, 4, "missing"}}}, 0},
		{"a letter is gone", func(t *testing.T, d *DuckDB, _ *sundew.Batch) {
			removeRow(t, d, "dead_letters", 6)
		}, Agreement{Records: 9, Stored: 6, Repeats: 1, Other: 1, Missing: 1, Faults: []Fault{{0, 6, "missing"}}}, 0},
		{"a row is there again", func(t *testing.T, d *DuckDB, _ *sundew.Batch) {
			insertAgain(t, d, 3)
			insertAgain(t, d, 3)
		}, Agreement{Records: 9, Stored: 6, Repeats: 1, Letters: 1, Other: 1, Twice: 3, Faults: []Fault{{0, 3, "twice"}}}, 3},
		{"a repeat is counted", func(t *testing.T, d *DuckDB, _ *sundew.Batch) {
			if _, err := d.db.ExecContext(t.Context(), `INSERT INTO events SELECT * REPLACE (4 AS log_offset) FROM events WHERE log_offset = 1`); err != nil {
				t.Fatal(err)
			}
		}, Agreement{Records: 9, Stored: 7, Letters: 1, Other: 1}, 1},
		{"a row without a request", func(_ *testing.T, _ *DuckDB, read *sundew.Batch) {
			read.Events = read.Events[1:]
		}, Agreement{Records: 9, Stored: 5, Repeats: 1, Letters: 1, Other: 2, Strange: 1, Faults: []Fault{{0, 0, "strange"}}}, 0},
		{"the log has gone on", func(_ *testing.T, _ *DuckDB, read *sundew.Batch) {
			read.Events = append(read.Events, request(9, 0, "192.0.2.1"))
			read.Rejected = append(read.Rejected, sundew.DeadLetter{Source: "sundew.requests", Offset: 10})
			read.Position.Next = 12
		}, Agreement{Records: 12, Stored: 6, Repeats: 1, Letters: 1, Other: 1, Behind: 3}, 0},
		{"rows beyond the retention are gone", func(t *testing.T, d *DuckDB, read *sundew.Batch) {
			late := request(9, 2*time.Hour, "192.0.2.1")
			record(t, d, batchOf(late), nil, nil)
			read.Events, read.Position.Next = append(read.Events, late), 10
			if _, err := d.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, Agreement{Records: 10, Stored: 1, Other: 1, Expired: 8}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := openWith(t, DuckDBConfig{Retention: time.Hour})
			record(t, d, counted, nil, nil)
			if err := d.RecordDeadLetters(t.Context(), whole.Rejected); err != nil {
				t.Fatal(err)
			}
			read := whole
			test.spoil(t, d, &read)
			v := verifier(t, d)
			got, err := v.Records(t.Context(), read)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "agreement", got, test.want)
			twice, err := v.Twice(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "rows of a stamp beyond the first", twice, test.twice)
		})
	}
}

func removeRow(t *testing.T, d *DuckDB, table string, offset int64) {
	t.Helper()
	if _, err := d.db.ExecContext(t.Context(), `DELETE FROM `+table+` WHERE log_offset = ?`, offset); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyComparesLetters(t *testing.T) {
	d := openWith(t, DuckDBConfig{Retention: time.Hour})
	letter := func(offset int64, after time.Duration) sundew.DeadLetter {
		return sundew.DeadLetter{Source: "sundew.requests", Offset: offset, Time: at(after)}
	}
	record(t, d, sundew.Batch{Events: []sundew.Event{request(0, 2*time.Hour, "192.0.2.1")}, Position: sundew.Position{Next: 7}}, nil, nil)
	letters := []sundew.DeadLetter{letter(1, 2*time.Hour), letter(2, 0), letter(3, 2*time.Hour), letter(4, 2*time.Hour), letter(5, 2*time.Hour)}
	letters[3].Replayed = true
	if err := d.RecordDeadLetters(t.Context(), letters[:1]); err != nil {
		t.Fatal(err)
	}
	v := verifier(t, d)
	got, err := v.Letters(t.Context(), letters)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "agreement of letters", got, LetterAgreement{Letters: 5, Stored: 1, Expired: 1, Replayed: 1, Missing: 2})

	read := sundew.Batch{Position: sundew.Position{First: 3, Next: 7}, Rejected: []sundew.DeadLetter{letter(3, 2*time.Hour), letter(4, 2*time.Hour), letter(6, 2*time.Hour)}}
	agreement, err := v.Records(t.Context(), read)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "lines whose letters are in the topic", agreement, Agreement{Records: 4, Letters: 2, Other: 1, Missing: 1, Faults: []Fault{{0, 6, "missing"}}})
}

func TestVerifyCountsAcknowledgedStamps(t *testing.T) {
	d := openWith(t, DuckDBConfig{})
	record(t, d, batchOf(stampedRequest(0, 7, 10), stampedRequest(1, 7, 11), stampedRequest(2, 7, 13), stampedRequest(3, 8, 12)), nil, nil)
	insertAgain(t, d, 1)
	v := verifier(t, d)
	for _, test := range []struct {
		stamps Stamps
		want   uint64
	}{
		{Stamps{"gw-1", 7, 10, 13}, 3},
		{Stamps{"gw-1", 7, 12, 12}, 0},
		{Stamps{"gw-1", 8, 0, math.MaxUint64}, 1},
		{Stamps{"gw-2", 7, 10, 13}, 0},
	} {
		got, err := v.Stamped(t.Context(), test.stamps)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "stamps with a row", got, test.want)
	}
}
