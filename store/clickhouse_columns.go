package store

import (
	"strings"
	"time"
	"unicode/utf8"

	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// columnOf is a column of a table, filled for many rows of T at a time.
type columnOf[T any] struct {
	name string
	fill func(to chcolumn.Interface, rows []T, s *scratch) error
}

// scratch is memory that one insert uses for one column after the other.
type scratch struct {
	texts    []string
	integers []int64
	boxed    map[string]any
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
	}}
}

// words is a column of the type LowCardinality(String).
//
// The driver finds the number of a word by a map from interfaces. Each word becomes an interface once per insert, not
// once per row, and the empty one needs no look-up.
func words[T any](name string, of func(T) string) columnOf[T] {
	return columnOf[T]{name, func(to chcolumn.Interface, rows []T, s *scratch) error {
		for _, row := range rows {
			if err := to.AppendRow(s.box(valid(of(row)))); err != nil {
				return err
			}
		}
		return nil
	}}
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
		boxed = word
		s.boxed[word] = boxed
	}
	return boxed
}

// int64s is a column of the type Int64.
func int64s[T any](name string, of func(T) int64) columnOf[T] {
	return columnOf[T]{name, func(to chcolumn.Interface, rows []T, s *scratch) error {
		s.integers = s.integers[:0]
		for _, row := range rows {
			s.integers = append(s.integers, of(row))
		}
		_, err := to.Append(s.integers)
		return err
	}}
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
	}}
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
