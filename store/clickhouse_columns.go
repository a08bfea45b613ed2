package store

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// columnOf is a column of a table, filled for many rows of T at a time.
type columnOf[T any] struct {
	name string
	fill func(to chcolumn.Interface, rows []T, s *scratch) error
	// blank says that every row has the column's default, so that an insert can leave the column out: most columns of most
	// logs. It is nil for a column that always counts.
	blank func(rows []T) bool
}

// scratch is memory that one insert uses for one column after the other.
type scratch struct {
	texts    []string
	integers []int64
	boxed    map[string]any
}

// rowsInCache is how many rows are turned into columns at a time: as many events as a processor's cache holds, which every
// column walks through again.
const rowsInCache = 256

// withoutBlank returns the columns that an insert of the rows needs.
func withoutBlank[T any](columns []columnOf[T], rows []T) []columnOf[T] {
	blank := make([]bool, len(columns))
	for i := range columns {
		blank[i] = columns[i].blank != nil
	}
	for some := range slices.Chunk(rows, rowsInCache) {
		for i := range columns {
			blank[i] = blank[i] && columns[i].blank(some)
		}
	}
	var needed []columnOf[T]
	for i := range columns {
		if !blank[i] {
			needed = append(needed, columns[i])
		}
	}
	return needed
}

// allAre is the blank function of a column and its default.
func allAre[T any, V comparable](of func(T) V, initial V) func(rows []T) bool {
	return func(rows []T) bool {
		for _, row := range rows {
			if of(row) != initial {
				return false
			}
		}
		return true
	}
}

// texts is a column of text that differs from row to row.
func texts[T any](name string, of func(T) string) columnOf[T] {
	return columnOf[T]{name, func(to chcolumn.Interface, rows []T, s *scratch) error {
		s.texts = s.texts[:0]
		for _, row := range rows {
			s.texts = append(s.texts, valid(of(row)))
		}
		_, err := to.Append(s.texts)
		return err
	}, allAre(of, "")}
}

// words is a column of the type LowCardinality(String).
//
// The driver finds the number of a word by a map from interfaces. Each word becomes an interface once per insert, not
// once per row, and the empty one needs no look-up.
func words[T any](name string, of func(T) string) columnOf[T] {
	return columnOf[T]{name, func(to chcolumn.Interface, rows []T, s *scratch) error {
		var last string
		var boxed any
		for _, row := range rows {
			if word := of(row); word != last {
				last, boxed = word, s.box(word)
			}
			if err := to.AppendRow(boxed); err != nil {
				return err
			}
		}
		return nil
	}, allAre(of, "")}
}

func (s *scratch) box(word string) any {
	if word == "" {
		return nil
	}
	boxed, found := s.boxed[word]
	if !found {
		if s.boxed == nil {
			s.boxed = map[string]any{}
		}
		boxed = valid(word)
		s.boxed[word] = boxed
	}
	return boxed
}

// int64s is a column of the type Int64.
func int64s[T any](name string, of func(T) int64) columnOf[T] { return int64sOr(name, 0, of) }

// int64sOr is a column of the type Int64 with a default.
func int64sOr[T any](name string, initial int64, of func(T) int64) columnOf[T] {
	return columnOf[T]{name, func(to chcolumn.Interface, rows []T, s *scratch) error {
		s.integers = s.integers[:0]
		for _, row := range rows {
			s.integers = append(s.integers, of(row))
		}
		_, err := to.Append(s.integers)
		return err
	}, allAre(of, initial)}
}

// times is a column of the type DateTime64(6).
func times[T any](name string, of func(T) time.Time) columnOf[T] {
	return values(name, func(row T) time.Time { return time.UnixMicro(micros(of(row))) })
}

// values is a column of any other type.
func values[T, V any](name string, of func(T) V) columnOf[T] {
	return columnOf[T]{name, func(to chcolumn.Interface, rows []T, _ *scratch) error {
		all := make([]V, len(rows))
		for i, row := range rows {
			all[i] = of(row)
		}
		_, err := to.Append(all)
		return err
	}, nil}
}

// numbers is a column of a number with a default.
func numbers[T any, V comparable](name string, initial V, of func(T) V) columnOf[T] {
	c := values(name, of)
	c.blank = allAre(of, initial)
	return c
}

// constant is a column that is the same in every row.
func constant[T, V any](name string, value V) columnOf[T] {
	return values(name, func(T) V { return value })
}

// valid is text with U+FFFD in the place of bytes that are not UTF-8.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
