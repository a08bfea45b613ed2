package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printTables writes an answer in the form that was asked for. An empty one says so on the error stream.
func printTables(t terminal, tables []table, asJSON, asCSV bool) error {
	out := bufio.NewWriter(t.out)
	var err error
	switch {
	case asJSON:
		err = writeJSON(out, tables)
	case asCSV:
		err = writeCSV(out, tables[0])
	default:
		err = writeText(out, tables)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	for i := range tables {
		if len(tables[i].Rows) > 0 {
			return nil
		}
	}
	fmt.Fprintln(t.err, "nothing in this range: --since and --to choose another")
	return nil
}

// writeJSON writes one object per row; where there are several tables, each begins with the name of its own.
func writeJSON(out *bufio.Writer, tables []table) error {
	for i := range tables {
		for _, row := range tables[i].Rows {
			object := []byte{'{'}
			if len(tables) > 1 {
				object = fmt.Appendf(object, `"table":%q,`, tables[i].Name)
			}
			for n, cell := range row {
				if n > 0 {
					object = append(object, ',')
				}
				object = fmt.Appendf(object, "%q:%s", tables[i].Columns[n], spellJSON(cell))
			}
			if _, err := out.Write(append(object, '}', '\n')); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeCSV writes RFC 4180 with a header. A text that a spreadsheet would take for a formula gets an apostrophe.
func writeCSV(out io.Writer, t table) error {
	w := csv.NewWriter(out)
	if err := w.Write(t.Columns); err != nil {
		return err
	}
	for _, row := range t.Rows {
		record := make([]string, len(row))
		for i, cell := range row {
			record[i] = spellOut(cellText(cell))
			if cell[0] == '"' && record[i] != "" && strings.ContainsRune("=+-@", rune(record[i][0])) {
				record[i] = "'" + record[i]
			}
		}
		if err := w.Write(record); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// cellText is a cell without the quotes of JSON; null is empty.
func cellText(cell json.RawMessage) string {
	switch {
	case cell[0] == '"':
		var text string
		if json.Unmarshal(cell, &text) == nil {
			return text
		}
	case bytes.Equal(cell, []byte("null")):
		return ""
	}
	return string(cell)
}

// widest is how many characters of a cell the text form shows; --json and --csv have all of it.
const widest = 80

// writeText writes aligned columns, each table under its name where there are several.
func writeText(out *bufio.Writer, tables []table) error {
	for i := range tables {
		if len(tables) > 1 {
			if i > 0 {
				fmt.Fprintln(out)
			}
			fmt.Fprintf(out, "%s\n", strings.ToUpper(tables[i].Name))
		}
		writeAligned(out, tables[i])
	}
	return nil
}

// writeAligned leaves errors to Flush.
func writeAligned(out *bufio.Writer, t table) {
	lines := [][]string{t.Columns}
	for _, row := range t.Rows {
		line := make([]string, len(row))
		for i, cell := range row {
			line[i] = fit(shownCell(cell))
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(t.Columns))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		var text strings.Builder
		for i, cell := range line {
			fmt.Fprintf(&text, "%-*s  ", widths[i], cell)
		}
		fmt.Fprintln(out, strings.TrimRight(text.String(), " "))
	}
}

// shownCell shortens times and numbers to what a person reads, and makes lists one text.
func shownCell(cell json.RawMessage) string {
	var list []string
	var number float64
	switch {
	case cell[0] == '[' && json.Unmarshal(cell, &list) == nil:
		return strings.Join(list, "; ")
	case json.Unmarshal(cell, &number) == nil && bytes.ContainsAny(cell, ".e"):
		return fmt.Sprintf("%.4g", number)
	}
	text := cellText(cell)
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.Format("2006-01-02 15:04:05")
	}
	return text
}

// fit cuts a text and spells it out.
func fit(text string) string {
	if cut := []rune(text); len(cut) > widest {
		return spellOut(string(cut[:widest])) + "…"
	}
	return spellOut(text)
}

// spellOut writes as an escape what a terminal would obey or not show: the text is the attacker's.
func spellOut(text string) string {
	var shown strings.Builder
	for _, r := range text {
		switch {
		case r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r):
			shown.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&shown, `\x%02x`, r)
		default:
			writeEscape(&shown, r)
		}
	}
	return shown.String()
}

// writeEscape writes the escape that JSON has for a character.
func writeEscape(shown *strings.Builder, r rune) {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		fmt.Fprintf(shown, `\u%04x\u%04x`, high, low)
		return
	}
	fmt.Fprintf(shown, `\u%04x`, r)
}

// spellJSON does the same to a cell, within the rules of JSON: its value stays.
func spellJSON(cell json.RawMessage) string {
	var shown strings.Builder
	for _, r := range string(cell) {
		if r < 0x7f || unicode.IsGraphic(r) && !unicode.IsSpace(r) {
			shown.WriteRune(r) // encoding/json has escaped what is below a blank
			continue
		}
		writeEscape(&shown, r)
	}
	return shown.String()
}
